"""The queue as a person uses it: pause, reorder, cancel, let it go on; and a chain of two runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from studio_core import training
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.runs import queue
from tests.browser.conftest import Served, choose, screenshot, visit
from tests.conftest import wait_until

pytestmark = pytest.mark.browser


def submit(studio: Studio, name: str, **given: object) -> Job:
    wish = {"method": "sft", "model": "tiny-base", "dataset": "tiny-sft-chat", "options": {"max_steps": 2}}
    return training.submit(studio, training.spec_from({**wish, "name": name, **given}))


def order(studio: Studio) -> list[str]:
    return [job.name for job in queue.waiting(studio)]


def press(page: Page, action: str, job: Job) -> None:
    page.locator(f"#runs-queue button[data-action={action}][data-job='{job.id}']").click()


@pytest.fixture
def going(served: Served) -> Iterator[None]:
    """Whatever the test did, the queue goes on after it."""
    yield
    queue.pause(served.studio, False)


def test_pause_reorder_cancel_and_go_on(page: Page, served: Served, going: None) -> None:
    studio = served.studio
    visit(page, "/runs")
    page.locator("#queue-pause").click()
    expect(page.locator("#runs-queue [role=status]")).to_be_visible()
    assert queue.is_paused(studio)
    a, b, c = (submit(studio, name) for name in ("first one", "second one", "third one"))
    rows = page.locator("#runs-queue tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("The queue is paused")
    press(page, "first", c)
    expect(rows.first).to_contain_text("third one")
    press(page, "down", c)
    expect(rows.nth(1)).to_contain_text("third one")
    assert order(studio) == ["first one", "third one", "second one"]
    # The focus goes with the run that was moved.
    expect(page.locator(f"#runs-queue button[data-action=down][data-job='{c.id}']")).to_be_focused()
    press(page, "cancel", b)
    expect(rows).to_have_count(2)
    assert queue.get(studio, b.id).state == State.CANCELLED
    page.locator("#queue-go_on").click()
    expect(page.locator("#queue-pause")).to_be_visible()
    for job in (a, c):
        wait_until(lambda job=job: queue.get(studio, job.id).state == State.SUCCEEDED, 90, "it has run")
    expect(rows).to_have_count(0)


def test_a_click_before_the_script_of_the_queue_is_there_is_not_lost(
    page: Page, served: Served, going: None
) -> None:
    held: list[Route] = []
    page.route("**/js/queue.js*", lambda route: held.append(route))
    visit(page, "/runs")
    page.locator("#queue-pause").click()
    assert not queue.is_paused(served.studio)
    wait_until(lambda: held, what="the script is asked for")
    for route in held:
        route.continue_()
    expect(page.locator("#runs-queue [role=status]")).to_be_visible()
    assert queue.is_paused(served.studio)


def test_a_chain_is_chosen_as_a_base_model(page: Page, served: Served, paused: None) -> None:
    studio = served.studio
    first = submit(studio, "lessons")
    visit(page, f"/train?method=dpo&dataset=identity-pairs&model=run:{first.id}")
    expect(page.locator("#train-model input")).to_have_value(f"Result of run {first.id} (lessons)")
    expect(page.locator("#train-plan")).to_contain_text(f"Starts when run {first.id}")
    page.locator("#train-start").click()
    page.wait_for_url("**/runs?run=*")
    second = wait_until(lambda: next((job for job in queue.waiting(studio) if job.method == "dpo"), None))
    assert (second.after_id, second.spec["model"]) == (first.id, f"run:{first.id}")
    queue.request_stop(studio, second.id, queue.Stop.CANCEL)
    queue.request_stop(studio, first.id, queue.Stop.CANCEL)


@pytest.mark.parametrize(("language", "theme", "width"), [("en", "light", 1280), ("zh-CN", "dark", 420)])
def test_it_fits_every_look(
    page: Page, context: BrowserContext, served: Served, paused: None, language: str, theme: str, width: int
) -> None:
    studio = served.studio
    jobs = [submit(studio, f"number {n}", priority=n) for n in range(2)]
    choose(context, served.url, language=language, theme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    visit(page, "/runs")
    expect(page.locator("#runs-queue tbody tr")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    screenshot(page, f"queue-{language}-{theme}")
    for job in jobs:
        queue.request_stop(studio, job.id, queue.Stop.CANCEL)
