"""The whole loop without a mouse: pairs are made, labelled, trained on and compared blind, and it goes round again."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from studio_core.base.states import State
from studio_core.base.tables import LabelProject
from studio_core.data import versions
from studio_core.labeling import making, outcomes, projects, rounds, votes
from studio_core.runs import queue
from tests.browser.conftest import Served, screenshot, visit
from tests.conftest import wait_until

pytestmark = pytest.mark.browser

MOST_TABS = 120
"""Presses of Tab within which everything of a page is reached."""
LABELLED = 20


def tab_to(page: Page, selector: str) -> None:
    """Move the focus to an element as a person without a mouse does."""
    page.locator(selector).first.wait_for()
    for _ in range(MOST_TABS):
        if page.evaluate("selector => !!document.activeElement?.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"{selector} is not reached in {MOST_TABS} presses of Tab")


def press(page: Page, selector: str, key: str = "Enter") -> None:
    tab_to(page, selector)
    page.keyboard.press(key)


def pair(page: Page) -> int:
    """The number of the pair on the screen."""
    return int(re.findall(r"\d+", page.locator("[data-part=number]").inner_text())[0])


def judge(page: Page, key: str) -> None:
    """Press a verdict, and wait for the next pair or the end."""
    expect(page.locator("[data-part=task]")).to_be_visible(timeout=60_000)
    before = page.locator("[data-part=number]").inner_text()
    page.keyboard.press(key)
    page.wait_for_function(
        """before => document.querySelector('[data-part=task]').hidden
            || document.querySelector('[data-part=number]').innerText !== before""",
        arg=before,
    )


def shorter(page: Page) -> str:
    """The key for the shorter of the two answers on the screen, as soon as there are two."""
    expect(page.locator("[data-part=task]")).to_be_visible(timeout=60_000)
    left, right = (len(text) for text in page.locator(".ts-label-answer .ts-label-text").all_inner_texts())
    return "3" if left == right else "1" if left < right else "2"


def finish(page: Page, served: Served, round: LabelProject) -> None:
    """Judge all pairs of a comparison."""
    wait_until(lambda: not making.is_under_way(served.studio, round))
    for _ in range(outcomes.result(served.studio, round).waiting):
        judge(page, shorter(page))
    expect(page.locator("[data-part=finished]")).to_be_visible()


def open_rounds(page: Page) -> None:
    """The section of rounds, by its tab."""
    press(page, "#label-tabs [role=tab][id^=label-tab-rounds]")
    expect(page.locator("#rounds-step")).to_be_visible()


def train(page: Page, served: Served) -> int:
    """From the section of rounds through the Train page to a finished run; returns its number."""
    press(page, "#rounds-train")
    page.wait_for_url("**/train?*")
    expect(page.locator("#train-start")).to_be_enabled()
    expect(page.locator("#train-method .ts-chooser")).to_be_visible()
    press(page, "#train-start")
    page.wait_for_url("**/runs?run=*")
    run = queue.all_jobs(served.studio, kind="train", limit=1)[0].id
    ended = wait_until(
        lambda: (job := queue.get(served.studio, run)).state in (State.SUCCEEDED, State.FAILED) and job, 240
    )
    assert ended.state == State.SUCCEEDED
    return run


def export(page: Page) -> list[dict[str, Any]]:
    """Download the votes, by the tab with the results."""
    press(page, "#label-tabs [role=tab][id^=label-tab-results]")
    tab_to(page, "#label-download")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    return [json.loads(line) for line in download.value.path().read_text(encoding="utf-8").splitlines()]


def compare(page: Page, project: int, run: int | None = None) -> None:
    """To the first pair of the comparison, from the page of the run or from the section of rounds."""
    if run is not None:
        visit(page, f"/runs?run={run}")
        press(page, "#run-compare-blind")
    else:
        visit(page, f"/label?project={project}&section=rounds")
        expect(page.locator("#rounds-run input")).not_to_have_value("")
        press(page, "#rounds-compare")
    page.wait_for_url(re.compile(rf"/label\?project=(?!{project}\b)"))


def test_label_train_compare_and_label_again_without_a_mouse(page: Page, served: Served) -> None:
    studio = served.studio
    visit(page, "/label")
    expect(page.locator("#label-dataset input")).not_to_have_value("")
    tab_to(page, "#label-name textarea, #label-name input")
    page.keyboard.type("round-and-round")
    press(page, "#label-start")
    page.wait_for_url("**/label?project=*")
    expect(page.locator("[data-part=task]")).to_be_visible(timeout=120_000)
    project = projects.get(studio, "round-and-round")
    for _ in range(LABELLED - 3):
        judge(page, shorter(page))
    judge(page, "s")

    before = pair(page)
    judge(page, "1")
    page.reload()
    expect(page.locator("[data-part=task]")).to_be_visible()
    page.keyboard.press("u")  # What was done before the page was loaded again can be taken back.
    page.wait_for_function(
        "n => document.querySelector('[data-part=number]').innerText.includes(String(n))", arg=before
    )
    page.keyboard.press("e")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("Short.")
    page.keyboard.press("Escape")
    judge(page, "1")
    judge(page, shorter(page))
    cast = votes.standing(studio, project.id)
    assert [vote.verdict for vote in cast].count("skip") == 1 and len(cast) == LABELLED
    assert sum("edits" in vote.value for vote in cast) == 1
    pairs = export(page)
    decided = [vote for vote in cast if vote.verdict in ("a", "b")]
    assert len(pairs) == len(decided) + 1 and pairs[-1].keys() >= {"prompt", "chosen", "rejected"}

    for number in (1, 2):
        open_rounds(page)
        run = train(page, served)
        newest = versions.get(studio, project.name)
        assert newest.version == number and newest.rows > 0
        compare(page, project.id, run if number == 1 else None)
        found = projects.rounds_of(studio, project.id)
        assert len(found) == number
        finish(page, served, found[-1])
        screenshot(page, f"round-{number}")
        visit(page, f"/label?project={project.id}&section=rounds")
        expect(page.locator("#rounds-results table").first).to_contain_text(str(number))
        judged = outcomes.result(studio, found[-1])
        assert judged.waiting == 0 and judged.found.judged == judged.items
    assert rounds.next_step(studio, project, outcomes.results(studio, project)).name in ("train", "label")
