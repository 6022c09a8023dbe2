"""A sweep of six in a real browser, with a real engine and workers: told before, a loser stopped, the winner cloned."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from studio_core import training
from studio_core.base.states import TERMINAL, Cause, Stop
from studio_core.runs import queue
from studio_core.training import sweeps
from tests.browser.axe import told
from tests.browser.conftest import Served, cancel_all, choose, in_address, screenshot, visit
from tests.conftest import wait_until
from tests.unit.studio_core.training.runs import spec

pytestmark = pytest.mark.browser

ENVIRONMENT = {"TUNESMITH_CPU_RUNS": "2"}  # One that wins and one that loses, beside each other.


@pytest.fixture(autouse=True)
def no_run_is_left(served: Served) -> Iterator[None]:
    """The runs of a sweep would go on for an hour, before those of the next test."""
    yield
    cancel_all(served.studio)


@pytest.mark.timeout(900)
def test_a_sweep_of_six_with_a_loser_stopped(page: Page, served: Served) -> None:
    studio = served.studio
    wish = spec(dataset="tiny-sft-chat", options={"epochs": 50, "logging_steps": 1}, retention=False)
    base = training.submit(studio, wish)
    queue.request_stop(studio, base.id, Stop.CANCEL)
    visit(page, f"/runs?run={base.id}")
    page.locator("#run-sweep").click()
    page.get_by_role("textbox", name="Values").fill("learning_rate = 1e-3, 1e-8, 1e-4\nbatch_size = 8, 4")
    plan = page.locator("#sweep-plan [data-ready=true]")
    expect(plan).to_contain_text(re.compile(r"Runs\s*6"))
    expect(plan).to_contain_text("MB")
    page.get_by_role("textbox", name="Values").fill("learning_rate = 1e-3, 1e-8, 1e-4, 1e-5, 1e-6, 1e-7")
    expect(plan).to_contain_text(re.compile(r"Runs\s*6"))
    page.locator("#sweep-start").dblclick()
    page.wait_for_url(re.compile(r"sweep=[0-9a-f]{8,}"))
    name = in_address(page, "sweep")
    winner, loser, *others = sweeps.jobs(studio, name)
    assert len(others) == 4

    wait_until(
        lambda: all(queue.get(studio, job.id).step > 20 for job in (winner, loser)),
        timeout=300,
        what="both that run first have come to some steps",
    )
    rows = page.locator("#sweep-table tbody tr")
    expect(rows).to_have_count(6)
    expect(page.locator("#sweep-parallel polyline")).to_have_count(2, timeout=60_000)
    expect(rows.first).to_contain_text("0.001")
    screenshot(page, "sweep")
    page.locator("#sweep-stop").click()
    stopped = wait_until(
        lambda: job if (job := queue.get(studio, loser.id)).state in TERMINAL else None,
        timeout=300,
        what="the loser has saved and ended",
    )
    assert stopped is not None and stopped.cause == Cause.STOPPED
    assert queue.get(studio, winner.id).state not in TERMINAL
    assert queue.get(studio, winner.id).stop_request is None

    page.get_by_role("textbox", name="With", exact=True).fill("learning_rate = 2e-3")
    page.locator("#sweep-clone").click()
    expect(rows).to_have_count(7)
    clone = sweeps.jobs(studio, name)[-1]
    assert clone.spec["options"]["learning_rate"] == 2e-3
    assert told(page) == []
    page.locator("#sweep-compare").click()
    expect(page.get_by_role("heading", name="Compare 7 runs")).to_be_visible()
    for by in ("tokens", "time", "epoch"):  # What workers report has all of these.
        visit(page, f"/runs?compare={winner.id},{loser.id}&by={by}")
        expect(page.locator("#run-chart-loss .ts-sketch path")).to_have_count(2)
        expect(page.locator("#compare-axes .ts-notice")).to_have_count(0)


@pytest.mark.parametrize(("language", "width"), [("zh-CN", 400), ("en", 1280)])
def test_the_form_of_a_sweep_can_be_read_by_everybody(
    page: Page, served: Served, language: str, width: int
) -> None:
    choose(page.context, served.url, language=language, theme="dark")
    page.set_viewport_size({"width": width, "height": 860})
    base = training.submit(served.studio, spec(dataset="tiny-sft-chat"))
    queue.request_stop(served.studio, base.id, Stop.CANCEL)
    visit(page, f"/runs?sweep=new&from={base.id}")
    expect(page.locator("#sweep-values textarea")).to_be_visible()
    assert told(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_sweep_of_what_the_train_form_says(page: Page, served: Served) -> None:
    studio = served.studio
    wish = spec(dataset="tiny-sft-chat", options={"max_steps": 3}, retention=False)
    base = training.submit(studio, wish)
    queue.request_stop(studio, base.id, Stop.CANCEL)
    visit(page, f"/train?duplicate={base.id}")
    page.locator("#train-sweep button").first.click()
    values, plan = page.get_by_role("textbox", name="Values"), page.locator("#sweep-plan")
    values.fill("no_such_option = 1, 2")
    expect(plan).to_contain_text("no_such_option")
    expect(page.locator("#sweep-start")).to_be_disabled()
    values.fill("learning_rate = 1e-3, 1e-4")
    expect(plan.locator("[data-ready=true]")).to_contain_text(re.compile(r"Runs\s*2"))
    page.locator("#sweep-start").dblclick()
    page.wait_for_url(re.compile(r"sweep=[0-9a-f]{8,}"))
    jobs = sweeps.jobs(studio, in_address(page, "sweep"))
    assert [job.spec["options"]["learning_rate"] for job in jobs] == [1e-3, 1e-4]
    assert all(job.spec["options"]["max_steps"] == 3 and not job.spec["retention"] for job in jobs)


@pytest.mark.timeout(600)
def test_tpe_draws_a_run_when_another_ends(page: Page, served: Served) -> None:
    studio = served.studio
    wish = spec(dataset="tiny-sft-chat", options={"max_steps": 3, "logging_steps": 1}, retention=False)
    base = training.submit(studio, wish)
    queue.request_stop(studio, base.id, Stop.CANCEL)
    visit(page, f"/runs?sweep=new&from={base.id}")
    page.get_by_role("textbox", name="Values").fill("learning_rate = 1e-5..1e-2")
    plan = page.locator("#sweep-plan")
    expect(plan).to_contain_text("only TPE and random can draw")
    page.get_by_role("radio", name="TPE").check()
    expect(page.locator("#sweep-seeds")).to_be_hidden()
    page.get_by_label("Runs to draw").fill("4")
    expect(plan.locator("[data-ready=true]")).to_contain_text(re.compile(r"Runs\s*4\s*1 drawn as others end"))
    assert told(page) == []
    page.locator("#sweep-start").click()
    page.wait_for_url(re.compile(r"sweep=[0-9a-f]{8,}"))
    name = in_address(page, "sweep")
    wait_until(
        lambda: len(jobs := sweeps.jobs(studio, name)) == 4 and all(job.state in TERMINAL for job in jobs),
        timeout=500,
        what="three runs have ended, then the fourth that was drawn",
    )
    rows = page.locator("#sweep-table tbody tr")
    expect(rows).to_have_count(4)
    values = [job.spec["sweep"]["values"]["learning_rate"] for job in sweeps.jobs(studio, name)]
    assert len({*values}) == 4 and all(1e-5 <= value <= 1e-2 for value in values)
    rows.last.get_by_role("link", name="Set as baseline").click()
    page.wait_for_url(re.compile(r"baseline=\d+"))
    expect(rows.last).to_contain_text("Baseline")
    expect(page.locator(".ts-sweep-off")).to_have_count(3)
    assert told(page) == []
    screenshot(page, "sweep-tpe")
