"""A real studio in an empty data folder, and a real Chromium that fails a test on anything unclean."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Request,
    expect,
    sync_playwright,
)

from studio_core.base.errors import StudioError
from studio_core.base.states import Stop
from studio_core.base.studio import Studio, open_studio
from studio_core.data import store
from studio_core.models import registry
from studio_core.runs import queue
from studio_core.runs.engine_process import LOCK
from tests.conftest import wait_until

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Leaving a page ends its streams; Chromium reports that as an error of the page.
HARMLESS = re.compile(
    r"AbortError|net::ERR_ABORTED|ERR_NETWORK_CHANGED|Failed to fetch|network error|Connection errored out"
)
expect.set_options(timeout=20_000)  # Two cores carry the page, the engine, a worker and Chromium.

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Served:
    """A running studio: where its page is, and its database for assertions."""

    url: str
    studio: Studio
    web: subprocess.Popen[bytes]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_web(
    home: Path, port: int, python: str = sys.executable, **environment: str
) -> subprocess.Popen[bytes]:
    """``python -m app`` on a data folder; returns when the page answers. No worker is kept warm, unless asked for."""
    home.mkdir(parents=True, exist_ok=True)
    with open(home / "web.out", "ab") as output:
        web = subprocess.Popen(
            [python, "-m", "app", "--home", str(home), "--port", str(port)],
            cwd=ROOT,
            stdout=output,
            stderr=output,
            env={**os.environ, "TUNESMITH_SERVE_IDLE": "60", "TUNESMITH_WARM_WORKERS": "0", **environment},
        )

    def answers() -> bool:
        if web.poll() is not None:
            pytest.fail(f"the studio ended at its start:\n{(home / 'web.out').read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                return bool(json.load(answer)["ok"])
        except OSError:
            return False

    try:
        wait_until(answers, what="the page answers")
    except BaseException:
        web.kill()
        web.wait()
        raise
    return web


def stop_engine(home: Path) -> None:
    """End the engine of a data folder, by the process id in its lock file. What it runs goes on."""
    lock = home / LOCK
    if lock.exists() and (text := lock.read_text().strip()):
        with suppress(ProcessLookupError):
            os.kill(json.loads(text)["pid"], signal.SIGTERM)


def cancel_all(studio: Studio) -> None:
    """End every run and chat worker, and wait until none is left."""
    for job in [*queue.waiting(studio), *queue.live(studio)]:
        with suppress(StudioError):  # It ended by itself meanwhile.
            queue.request_stop(studio, job.id, Stop.CANCEL)
    wait_until(lambda: not queue.live(studio), what="no worker is left")


@contextmanager
def serving(home: Path, python: str = sys.executable, **environment: str) -> Iterator[Served]:
    """A studio with its page and its engine, ended afterwards."""
    port = free_port()
    web = start_web(home, port, python, **environment)
    studio = open_studio(home=home)
    try:
        yield Served(f"http://127.0.0.1:{port}", studio, web)
        cancel_all(studio)
    finally:
        studio.close()
        web.terminate()
        web.wait(240)
        stop_engine(home)


@pytest.fixture(scope="session")
def quick(prepared_app: str, prepared_python: str) -> dict[str, str]:
    """Has a studio begin its page and its workers without their imports."""
    command = [prepared_python, "-P", "-m", "jobs.worker"]
    return {"python": prepared_app, "TUNESMITH_WORKER_COMMAND": json.dumps(command)}


@pytest.fixture(scope="module")
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, quick: dict[str, str]
) -> Iterator[Served]:
    """A studio for the browser tests of one file, which may set its ``ENVIRONMENT``."""
    environment = {**quick, **getattr(request.module, "ENVIRONMENT", {})}
    with serving(tmp_path_factory.mktemp("studio") / "home", **environment) as made:
        wait_until(lambda: len(registry.all_models(made.studio)) >= 2, what="the demo models are there")
        wait_until(lambda: len(store.all_datasets(made.studio)) >= 4, what="the sample data are there")
        yield made


def find_chromium() -> str | None:
    """The browser of this machine; none means the one that Playwright has brought."""
    names = (
        "chromium-headless-shell",
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    )
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def reader(browser: Browser, served: Served) -> Iterator[BrowserContext]:
    """A browser with what it has loaded of a studio, as a reader's who comes again."""
    opened = browser.new_context(
        base_url=served.url, locale="en-US", viewport={"width": 1280, "height": 860}, reduced_motion="reduce"
    )
    opened.set_default_timeout(45_000)
    yield opened
    opened.close()


@pytest.fixture
def context(reader: BrowserContext, served: Served) -> Iterator[BrowserContext]:
    """The browser with nothing of the tests before but scripts and styles: who reads is somebody new."""
    yield reader
    for tab in reader.pages:
        tab.close()
    reader.clear_cookies()
    reader.clear_permissions()
    with reader.new_page() as blank:
        everything = {
            "origin": served.url,
            "storageTypes": "local_storage,indexeddb,cache_storage,service_workers",
        }
        reader.new_cdp_session(blank).send("Storage.clearDataForOrigin", everything)


@pytest.fixture
def page(context: BrowserContext, served: Served) -> Iterator[Page]:
    """A tab. The test fails on an error in its console or scripts, or on a request that leaves the machine."""
    tab = context.new_page()
    unclean = watch(tab, served.url)
    yield tab
    tab.goto("about:blank")
    if unclean:
        print((served.studio.settings.home / "web.out").read_text(errors="replace")[-4000:])
    assert unclean == []


@pytest.fixture
def paused(served: Served) -> Iterator[None]:
    """The queue stands still, and goes on after the test, also after one that fails."""
    queue.pause(served.studio)
    yield
    queue.pause(served.studio, False)


def watch(tab: Page, url: str) -> list[str]:
    """Everything unclean that a tab does from now on, as it happens."""
    unclean: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error" and not HARMLESS.search(message.text):
            unclean.append(f"console: {message.text} ({message.location.get('url', '')})")

    def on_request(request: Request) -> None:
        if not request.url.startswith((url, "data:", "blob:", "about:")):
            unclean.append(f"a request to {request.url}")

    tab.on("console", on_console)

    def on_error(error: Error) -> None:
        if not HARMLESS.search(str(error)):
            unclean.append(f"script: {error}")

    tab.on("pageerror", on_error)
    tab.on("request", on_request)
    return unclean


def choose(context: BrowserContext, url: str, *, language: str = "en", theme: str = "light") -> None:
    """Set the reader's language and theme, as the switches do."""
    context.add_cookies(
        [{"name": "lang", "value": language, "url": url}, {"name": "theme", "value": theme, "url": url}]
    )


def visit(tab: Page, path: str) -> None:
    """Open a page and wait until Gradio has drawn it."""
    tab.goto(path)
    tab.locator(".gradio-container main").first.wait_for()


def take(page: Page, chooser: str, title: str) -> None:
    """Choose from a list of titles with their help what is called so, in whole or by its letters in brackets."""
    page.locator(f"#{chooser}").get_by_role("combobox").click()
    by_letters = title.startswith("(")
    page.locator(f"#{chooser}").get_by_role("option", name=title, exact=not by_letters).click()


def in_address(tab: Page, name: str) -> str:
    """What the tab's address says of ``name``, whatever else stands there: an opened tab of a page names itself."""
    return parse_qs(urlsplit(tab.url).query)[name][0]


def come_to_charts(tab: Page) -> None:
    """Bring the pointer to the charts of a run, which are sketched until then, as soon as they are there."""
    tab.locator("#run-chart-loss").hover(timeout=90_000)


def screenshot(tab: Page, name: str) -> Path:
    """Keep a picture of the whole page in ``test-artifacts/``."""
    folder = ROOT / "test-artifacts"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.png"
    try:
        tab.screenshot(path=path, full_page=True)
    except Error as error:
        # Chromium now and then has no frame to give on a busy machine. The next one is a new frame.
        if "Unable to capture screenshot" not in error.message:
            raise
        tab.screenshot(path=path, full_page=True)
    return path
