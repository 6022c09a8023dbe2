"""A run handed over by a click: the folder as a ZIP file, in a request like any other."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.pages import runs
from app.parts import handover_page
from studio_core import training
from studio_core.base.studio import Studio
from studio_core.handover import packing
from studio_core.models import registry
from tests.unit.studio_core.training.runs import chat, imported, spec


@pytest.fixture
def number(studio: Studio, tmp_path: Path) -> int:
    registry.ensure_demo_models(studio)
    imported(studio, "sums", [chat(f"What is {n}?", f"It is {n}.") for n in range(20)], tmp_path)
    return training.submit(studio, spec(model="tiny-chat", options={"neftune": 5.0})).id


@pytest.fixture
def client(studio: Studio) -> TestClient:
    app = FastAPI()
    app.include_router(runs.routes(studio))
    return TestClient(app)


def test_the_archive_is_the_folder_and_nothing_stays(studio: Studio, number: int, client: TestClient) -> None:
    answer = client.get(handover_page.address(number, "axolotl"))
    assert answer.headers["content-disposition"] == f'attachment; filename="run-{number}-axolotl.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        names = {name for name in packed.namelist() if not name.endswith("/")}
        script = packed.getinfo(f"run-{number}-axolotl/run.sh")
    assert {name.partition("/")[2] for name in names} == {
        "README.md", "config.yaml", "run.sh", "rendered.json", "handover.json", "data/train.jsonl",
    }  # fmt: skip
    assert script.external_attr >> 16 & 0o111  # Still a program, once it is unpacked.
    assert not [*studio.settings.uploads.iterdir()]


def test_what_cannot_be_is_said(studio: Studio, number: int, client: TestClient) -> None:
    for address in (handover_page.address(number, "torchtune"), handover_page.address(99, "axolotl")):
        answer = client.get(address)
        assert answer.status_code == 404 and ("torchtune" in answer.text or "99" in answer.text)
    assert not [*studio.settings.uploads.iterdir()]


def test_the_readme_is_in_the_readers_language(studio: Studio, number: int) -> None:
    assert "neftune" in packing.read_me(studio, number, "openrlhf", "en")
    assert "训练" in packing.read_me(studio, number, "openrlhf", "zh-CN")
    assert not [*studio.settings.uploads.iterdir()]
