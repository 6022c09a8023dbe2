"""The application as a whole, without a browser."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from gradio import component_meta

from app.pages import PAGES
from app.web import create_app
from studio_core.base.studio import Studio, open_studio
from studio_core.runs import queue
from studio_core.texts import text

HOST = "http://127.0.0.1:7860"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    opened = open_studio(home=tmp_path_factory.mktemp("web") / "home")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def application(studio: Studio) -> FastAPI:
    return create_app(studio)


@pytest.fixture
def client(application: FastAPI) -> TestClient:
    return TestClient(application, base_url=HOST)


def test_health(client: TestClient) -> None:
    answer = client.get("/health").json()
    assert answer["ok"] is True
    assert re.fullmatch(r"\d+\.\d+\.\d+", answer["version"])


def test_status_counts_trainings_in_the_readers_language(client: TestClient, studio: Studio) -> None:
    assert client.get("/api/status").json() == {"running": 0, "queued": 0, "text": "Nothing running"}
    queue.submit(studio, kind="train", name="one", spec={})
    queue.submit(studio, kind="serve", name="chat", spec={})
    client.cookies.set("lang", "zh-CN")
    assert client.get("/api/status").json() == {"running": 0, "queued": 1, "text": "1 个排队中"}


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_every_page_is_our_own_document(client: TestClient, language: str) -> None:
    client.cookies.set("lang", language)
    for page in PAGES:
        document = client.get(page.PATH).text
        label = text(f"shell.nav_{page.NAME}", language)
        assert f'<html lang="{language}"' in document
        assert f"<title>{label} · Tunesmith</title>" in document
        assert len(re.findall('id="nav-[a-z]+" href="[^"]+" aria-current="page"', document)) == 1
        assert "googleapis" not in document and "huggingface.co" not in document
        config = json.loads(document.split("window.gradio_config = ")[1].split("; window.gradio_api_info")[0])
        assert config["title"] == f"{label} · Tunesmith"
        assert list(config["i18n_translations"]) == [language]


def test_the_theme_is_in_the_document(client: TestClient) -> None:
    client.cookies.set("theme", "dark")
    assert 'data-theme="dark"' in client.get("/").text
    client.cookies.set("theme", '"><script>alert(1)</script>')
    assert 'data-theme="auto"' in client.get("/").text


def test_no_event_is_listed_as_an_interface(client: TestClient) -> None:
    assert client.get("/gradio_api/info").json()["named_endpoints"] == {}


def test_gradios_own_extras_are_off(client: TestClient) -> None:
    config = client.get("/config").json()
    assert config["footer_links"] == [] and not config["analytics_enabled"]
    assert client.get("/monitoring").status_code == 404


def test_gradio_writes_no_stubs() -> None:
    """The patch of ``gradio_quiet`` still reaches the one function that it is for.

    In a process of its own, as the page is: torch, which other tests import, wraps the same function.
    """
    assert "inspect.getfile(component_class)" in inspect.getsource(component_meta.create_or_modify_pyi)
    for caller, ending in (("create_or_modify_pyi", "OSError: no stubs are wanted"), ("anyone_else", "")):
        program = f"import app, inspect, pathlib\ndef {caller}(): inspect.getfile(pathlib.Path)\n{caller}()"
        asked = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert asked.stderr.strip().endswith(ending) and bool(asked.stderr) == bool(ending)
