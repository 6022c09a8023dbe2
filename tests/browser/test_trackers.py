"""Trackers as a person turns them on, and as a run's page tells of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from studio_core import training
from studio_core.base.atomic import write_json
from studio_core.base.states import TERMINAL, Stop
from studio_core.base.tables import Job
from studio_core.runs import queue
from studio_core.runs.run_folder import EventWriter
from studio_core.trackers import sent, switches
from studio_core.trackers.sent import Sent
from tests.browser.conftest import Served, choose, screenshot, visit
from tests.conftest import wait_until

pytestmark = pytest.mark.browser

FAULTS = Path(__file__).parents[1] / "faults"
ENVIRONMENT = {
    "TUNESMITH_SINK_COMMAND": json.dumps([sys.executable, str(FAULTS / "toy_sink.py"), "kept.jsonl", "none"])
}
"""A stand-in for the libraries."""


@pytest.fixture
def run(served: Served) -> Job:
    """A training that has ended, of which W&B did not take the last steps."""
    wish = {"method": "sft", "model": "tiny-base", "dataset": "tiny-sft-chat"}
    plan = training.plan(served.studio, training.spec_from(wish))
    assert plan.spec is not None
    spec = {**plan.spec.model_dump(), "run": {"options": {}}}
    queue.pause(served.studio)
    job = queue.submit(served.studio, kind="train", name="lesson", method="sft", spec=spec)
    queue.request_stop(served.studio, job.id, Stop.CANCEL)
    queue.pause(served.studio, False)
    wait_until(lambda: queue.get(served.studio, job.id).state in TERMINAL)
    folder = Path(job.run_dir or "")
    folder.mkdir(parents=True, exist_ok=True)
    events = EventWriter(folder)
    for step in range(1, 6):
        events.write("metrics", step=step, values={"loss": 1 / step})
    events.close()
    Sent(step=3, run="abc", state="failed", trouble="hung", values={"seconds": 60}).write(folder, "wandb")
    return job


def test_a_tracker_is_turned_on_and_off(page: Page, served: Served) -> None:
    file = served.studio.settings.home / switches.FILE
    visit(page, "/settings")
    rows = page.locator("#trackers-list tbody tr")
    expect(rows).to_have_count(4)
    expect(page.locator("#tracker-key")).to_be_hidden()  # TensorBoard has neither key nor options.
    page.locator("#tracker-name").get_by_text("W&B").click()
    expect(page.locator("#tracker-entity input, #tracker-entity textarea")).to_be_visible()
    project = page.locator("#tracker-project input, #tracker-project textarea")
    expect(project).to_have_value("tunesmith")
    project.fill("a/b")
    page.locator("#tracker-on").click()
    is_there = switches.is_installed(switches.named("wandb"), served.studio.settings.trackers_python)
    expected = "not a valid project name" if is_there else "pip install wandb"
    expect(page.get_by_text(expected).first).to_be_visible()
    assert not file.exists()
    write_json(file, {"wandb": {"on": True, "options": {"project": "mine"}, "key": "k" * 40}})
    visit(page, "/settings")
    expect(rows.nth(3)).to_contain_text("https://api.wandb.ai")
    expect(rows.nth(3)).to_contain_text("API key stored")
    assert "k" * 40 not in page.content()
    page.locator("#tracker-name").get_by_text("W&B").click()
    expect(project).to_have_value("mine")
    page.locator("#tracker-off").click()
    expect(page.locator("#tracker-told")).to_contain_text("W&B is off")
    expect(rows.nth(3).locator(".ts-badge")).to_have_text("Off")
    assert switches.enabled(file) == []


@pytest.mark.parametrize(("language", "theme", "width"), [("en", "light", 1280), ("zh-CN", "dark", 390)])
def test_a_run_says_what_a_tracker_lacks(
    page: Page, context: BrowserContext, served: Served, run: Job, language: str, theme: str, width: int
) -> None:
    choose(context, served.url, language=language, theme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    visit(page, f"/runs?run={run.id}")
    line = page.locator("#run-trackers li")
    expect(line).to_contain_text("did not respond within 60 s" if language == "en" else "60 秒内没有响应")
    expect(line.get_by_role("button")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    screenshot(page, f"run-trackers-{language}-{theme}")


def test_what_is_missing_is_sent_by_a_click(page: Page, served: Served, run: Job) -> None:
    if not switches.is_installed(switches.named("wandb"), served.studio.settings.trackers_python):
        pytest.skip("pip install wandb into TUNESMITH_TRACKERS_PYTHON, or beside the studio")
    (served.studio.settings.home / switches.FILE).unlink(missing_ok=True)  # No key: it stays on this machine.
    visit(page, f"/runs?run={run.id}")
    page.locator("#run-trackers").get_by_role("button").click()
    expect(page.locator("#run-trackers")).to_contain_text("logged offline to")
    known = sent.read(Path(run.run_dir or ""), "wandb")
    assert known is not None and (known.state, known.step) == ("sent", 5)
