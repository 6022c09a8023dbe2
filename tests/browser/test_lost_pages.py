"""A run goes on whatever becomes of the pages that watch it: closed, reloaded, doubled, their server killed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from app.parts.html import number
from studio_core import training
from studio_core.base.states import TERMINAL, State
from studio_core.base.studio import open_studio
from studio_core.base.tables import Job
from studio_core.data import store
from studio_core.models import registry
from studio_core.runs import metrics, queue
from studio_core.texts import text
from tests.browser.conftest import (
    ROOT,
    Served,
    cancel_all,
    come_to_charts,
    free_port,
    start_web,
    stop_engine,
    visit,
    watch,
)
from tests.conftest import wait_until

pytestmark = pytest.mark.browser

TOY = {
    "TUNESMITH_WORKER_COMMAND": json.dumps([sys.executable, "-m", "tests.faults.toy_worker"]),
    "PYTHONPATH": str(ROOT),
}
CHART = "document.querySelector('#run-chart-loss .js-plotly-plot')"
POINTS = f"{CHART}?.data[0].x.length ?? 0"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A studio whose trainings are played by a worker without torch. Its page may be killed by a test."""
    home, port = tmp_path_factory.mktemp("studio") / "home", free_port()
    opened = Served(f"http://127.0.0.1:{port}", open_studio(home=home), start_web(home, port, **TOY))
    wait_until(lambda: len(registry.all_models(opened.studio)) >= 2, what="the demo models are there")
    wait_until(lambda: len(store.all_datasets(opened.studio)) >= 4, what="the sample data are there")
    yield opened
    cancel_all(opened.studio)
    opened.studio.close()
    opened.web.terminate()
    opened.web.wait(20)
    stop_engine(home)


def begin(served: Served, **toy: Any) -> Job:
    """A run that reports four steps a second for five minutes, so that a slow restart is over before it ends."""
    wish = {"method": "sft", "model": "tiny-base", "dataset": "tiny-sft-chat"}
    plan = training.plan(served.studio, training.spec_from(wish))
    assert plan.spec is not None
    spec = {**plan.spec.model_dump(), "run": {"steps": 1200, "pause": 0.25, "options": {}, **toy}}
    job = queue.submit(served.studio, kind="train", method="sft", name="watched", spec=spec)
    wait_until(lambda: queue.get(served.studio, job.id).state == State.RUNNING, 60, "the run begins")
    return job


def step(served: Served, job: Job) -> int:
    return queue.get(served.studio, job.id).step


def cancelled(served: Served, job: Job) -> None:
    wait_until(lambda: queue.get(served.studio, job.id).state in TERMINAL, 30, "the run ends")
    assert queue.get(served.studio, job.id).state == State.CANCELLED
    assert all(device.job_id is None for device in queue.devices(served.studio) if device.kind != "serve")
    steps = [point.step for point in metrics.points(served.studio, job.id)]
    assert steps == list(range(1, len(steps) + 1))


def test_15_a_closed_tab_a_reload_and_two_tabs_that_agree(context: BrowserContext, served: Served) -> None:
    job = begin(served)
    first = context.new_page()
    visit(first, f"/runs?run={job.id}")
    come_to_charts(first)
    first.wait_for_function(f"{POINTS} >= 5")
    first.close()
    seen = step(served, job)
    wait_until(lambda: step(served, job) > seen + 5, 20, "the run goes on without a page")

    tabs = [context.new_page(), context.new_page()]
    unclean = [watch(tab, served.url) for tab in tabs]
    for tab in tabs:
        visit(tab, f"/runs?run={job.id}")
        come_to_charts(tab)
        tab.wait_for_function(f"{POINTS} > {seen}")
        assert tab.evaluate(f"{CHART}.data[0].x.slice(0, 5)") == [1, 2, 3, 4, 5]
    tabs[1].reload()
    come_to_charts(tabs[1])
    tabs[1].wait_for_function(f"{POINTS} > {seen}")
    tabs[0].locator("button#run-cancel").click()
    for tab in tabs:
        expect(tab.locator("#run-state")).to_contain_text("Cancelled by the user")
        expect(tab.locator("button#run-cancel")).to_be_hidden()
    cancelled(served, job)
    last = step(served, job)
    for tab in tabs:
        tab.wait_for_function(f"{CHART}.data[0].x.at(-1) === {last}")
        expect(tab.locator("#run-progress")).to_contain_text(
            text("runs.steps", step=number(last), total="1,200")
        )
        tab.close()
    assert unclean == [[], []]


def test_a_killed_page_server_ends_no_run_and_the_open_page_comes_back(
    context: BrowserContext, served: Served
) -> None:
    job = begin(served)
    tab = context.new_page()
    visit(tab, f"/runs?run={job.id}")
    come_to_charts(tab)
    tab.wait_for_function(f"{POINTS} >= 5")
    served.web.kill()
    served.web.wait()
    expect(tab.locator("#queue-status")).to_have_attribute("data-kind", "lost")
    seen = step(served, job)
    wait_until(lambda: step(served, job) > seen + 5, 20, "the run goes on without its page server")
    web = start_web(served.studio.settings.home, int(served.url.rpartition(":")[2]), **TOY)
    object.__setattr__(served, "web", web)  # The fixture ends the one that lives.
    expect(tab.locator("#queue-status")).to_have_attribute("data-kind", "busy")
    tab.mouse.move(5, 5)  # The page has been loaded anew, and its charts are sketches until somebody comes.
    come_to_charts(tab)
    tab.wait_for_function(f"{POINTS} > {seen + 5}")
    steps = tab.evaluate(f"{CHART}.data[0].x")
    assert steps == list(range(1, len(steps) + 1))
    tab.locator("button#run-cancel").click()
    expect(tab.locator("#run-state")).to_contain_text("Cancelled by the user")
    cancelled(served, job)
    tab.close()


def test_a_run_is_cancelled_while_it_answers(page: Page, served: Served) -> None:
    job = begin(served, fault="answers")
    visit(page, f"/runs?run={job.id}")
    expect(page.locator("#run-samples tbody tr").nth(2)).to_contain_text("Question 2")
    page.locator("button#run-cancel").click()
    expect(page.locator("#run-state")).to_contain_text("Cancelled by the user")
    cancelled(served, job)
    expect(page.locator("#run-samples")).to_contain_text("Question 0")
