"""Runs beside each other in a real browser: three in the same charts, over another axis, against another baseline."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from studio_core import training
from studio_core.base import clock
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.runs import metrics, queue
from tests.browser.axe import told
from tests.browser.conftest import Served, choose, in_address, screenshot, visit
from tests.unit.studio_core.training.runs import say, spec

pytestmark = pytest.mark.browser

PLOT = "document.querySelector('#run-chart-loss .js-plotly-plot')"


@pytest.fixture(scope="module")
def runs(served: Served) -> list[int]:
    """Three trainings that have ended, with other learning rates and other answers."""
    queue.pause(served.studio)  # What they did is written here, and no engine starts them.
    return [_ended(served.studio, rate) for rate in (1e-4, 3e-4, 1e-3)]


def _ended(studio: Studio, rate: float) -> int:
    wish = spec(dataset="tiny-sft-chat", options={"learning_rate": rate}, prompts=["Who?"])
    job = training.submit(studio, wish)
    start, at = 0, clock.now()
    events: list[dict[str, Any]] = [
        {
            "type": "metrics",
            "step": step,
            "total_steps": 20,
            "epoch": step / 10,
            "values": {"loss": rate + 1 / step},
        }
        for step in range(1, 21)
    ]
    lines = []
    for seq, event in enumerate(events, 1):
        line = json.dumps({"seq": seq, "at": clock.iso(at + timedelta(seconds=seq)), **event}).encode()
        start += len(line) + 1
        lines.append((start, line))
    metrics.store(studio, job.id, lines)
    say(studio, job, [("before", 0, "Hm."), ("during", 10, f"I learnt at {rate}.")])
    with studio.db.write() as session:
        row = session.get_one(Job, job.id)
        row.state, row.started_at, row.finished_at = State.FAILED, at, at + timedelta(seconds=20)
    return job.id


def test_three_runs_are_compared(page: Page, runs: list[int], tmp_path: Path) -> None:
    first, second, third = runs
    visit(page, f"/runs?run={first}")
    page.locator("#run-compare-with").click()
    for other in (second, third):  # Added one after the other, by the form.
        page.locator("#compare-add").fill(str(other))
        page.locator("#compare-add-button").click()
        expect(page.locator("#compare-head tbody")).to_contain_text(f"{other} · ")
    expect(page.get_by_role("heading", name="Compare 3 runs")).to_be_visible()

    page.locator("#run-chart-loss").hover()
    page.wait_for_function(f"{PLOT}?.data.filter((one) => one.visible !== false).length === 3")
    with page.expect_download() as table:
        page.locator("#run-chart-loss [data-tool=csv]").click()
    rows = list(csv.reader(io.StringIO(Path(table.value.path()).read_text("utf-8-sig"))))
    assert rows[0][0] == "Step" and [int(name.split(" ")[0]) for name in rows[0][1:]] == runs
    assert len(rows) == 21 and all(float(value) for value in rows[1][1:])
    with page.expect_download() as picture:
        page.locator("#run-chart-loss [data-tool=svg]").click()
    drawing = Path(picture.value.path()).read_text()
    assert drawing.startswith("<svg") and all(f"{run} · sft-tiny-base" in drawing for run in runs)

    # Only the learning rate differs; the rest comes on request.
    settings = page.locator("#compare-settings tbody")
    expect(settings.locator("tr.ts-other")).to_have_count(1)
    expect(settings.locator("tr.ts-other")).to_contain_text("learning_rate")
    expect(settings.get_by_text("method", exact=True)).to_be_hidden()
    page.locator("#compare-differences").uncheck()
    expect(settings.get_by_text("method", exact=True)).to_be_visible()
    expect(page.locator("#compare-answers")).to_contain_text("I learnt at 0.0003.")

    page.locator(f"#compare-head a[data-baseline='{second}']").click()
    page.wait_for_url(re.compile("baseline="))
    expect(page.locator("#compare-answers article").first).to_contain_text("I learnt at 0.0003.")
    page.get_by_role("link", name="Time", exact=True).click()
    page.wait_for_url(re.compile("by=time"))
    assert in_address(page, "baseline") == str(second)
    page.locator("#run-chart-loss").hover()
    page.wait_for_function(f"{PLOT}?.layout.xaxis.title.text === 'Time (s)'")
    page.get_by_role("link", name=f"Remove run {third}").click()
    expect(page.get_by_role("heading", name="Compare 2 runs")).to_be_visible()


def test_axes_are_logarithmic_and_outliers_left_out_on_request(page: Page, runs: list[int]) -> None:
    visit(page, f"/runs?compare={','.join(map(str, runs))}")
    page.locator("#run-chart-loss").hover()
    page.wait_for_function(f"{PLOT}?.data.length === 6")
    page.get_by_role("checkbox", name="Log x-axis").check()
    page.wait_for_function(f"{PLOT}.layout.xaxis.type === 'log'")
    whole = page.evaluate(f"{PLOT}.layout.yaxis.range")
    page.get_by_role("checkbox", name="Ignore outliers in scaling").check()
    page.wait_for_function(f"{PLOT}.layout.yaxis.range[1] < {whole[1]}")
    page.get_by_role("slider").fill("0.9")
    page.wait_for_function(
        f"{PLOT}.data.filter((one) => one.visible !== false).length === 6"
    )  # Raw and smoothed.


def test_a_run_without_token_counts_is_named(page: Page, runs: list[int]) -> None:
    visit(page, f"/runs?compare={','.join(map(str, runs))}&by=tokens")
    expect(page.locator("#compare-axes")).to_contain_text(", ".join(map(str, runs)))
    visit(page, "/runs?compare=4711")
    expect(page.locator("#compare-head [role=status]")).to_contain_text("4711")


@pytest.mark.parametrize(("language", "theme", "width"), [("en", "light", 1280), ("zh-CN", "dark", 400)])
def test_a_comparison_can_be_read_by_everybody(
    page: Page, served: Served, runs: list[int], language: str, theme: str, width: int
) -> None:
    choose(page.context, served.url, language=language, theme=theme)
    page.set_viewport_size({"width": width, "height": 860})
    visit(page, f"/runs?compare={','.join(map(str, runs))}")
    expect(page.locator("#compare-answers article")).to_have_count(3)
    assert told(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    screenshot(page, f"compare-{language}-{width}")
