"""Several annotators, each signed in, in browsers of their own; and a studio that dies under them."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from studio_core.base.studio import Studio
from studio_core.labeling import items, projects, votes
from studio_core.labeling.items import Answer, NewItem
from tests.bench.labeling_load import cookies
from tests.browser.conftest import Served, serving, start_web
from tests.people import cheap_hashes

__all__ = ["cheap_hashes"]
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("annotators") / "home") as made:
        yield made


@pytest.fixture(scope="module")
def known(served: Served, cheap_hashes: None) -> list[dict[str, str]]:
    return cookies(served.studio, 3, urlsplit(served.url).port or 0)


def made(studio: Studio, name: str, count: int, wanted: int) -> int:
    project = projects.create(studio, name, settings={"repeats": 0.0, "votes": wanted})
    items.add(
        studio,
        project.id,
        (
            NewItem(
                [{"role": "user", "content": f"Question {n}?"}], [Answer("yes", "one"), Answer("no", "other")]
            )
            for n in range(count)
        ),
    )
    return project.id


def at_work(browser: Browser, served: Served, cookie: dict[str, str], project: int) -> Page:
    context = browser.new_context(base_url=served.url, locale="en-US")
    context.add_cookies([{"name": n, "value": v, "url": served.url} for n, v in cookie.items()])  # type: ignore[typeddict-item]
    page = context.new_page()
    page.goto(f"/label?project={project}")
    expect(page.locator("[data-part=number]")).to_have_text(re.compile(r"\d"))
    return page


def shown(page: Page) -> str:
    return page.locator("[data-part=number]").inner_text()


def vote(page: Page, key: str) -> str:
    """The pair that was judged."""
    pair = shown(page)
    page.keyboard.press(key)
    expect(page.locator("#label-screen-body")).not_to_have_attribute("aria-busy", "true")
    page.wait_for_function(
        "pair => document.querySelector('[data-part=finished]').offsetParent"
        " || document.querySelector('[data-part=number]').textContent !== pair",
        arg=pair,
    )
    return pair


def test_two_at_once_are_given_no_pair_beyond_the_votes_wanted(
    browser: Browser, served: Served, known: list[dict[str, str]]
) -> None:
    project = made(served.studio, "at-once", 9, 1)
    pages = [at_work(browser, served, cookie, project) for cookie in known[:2]]
    judged: list[str] = []
    for turn in range(4):
        assert shown(pages[0]) != shown(pages[1])
        judged += [vote(page, "12"[turn % 2]) for page in pages]
    assert len(set(judged)) == 8
    # One pair is left: it is before one of them, and the other is done.
    expect(pages[0].locator("[data-part=task]:visible, [data-part=finished]:visible")).to_have_count(1)
    assert sum(page.locator("[data-part=task]").is_visible() for page in pages) == 1
    # An annotator sees nothing but labelling: of the project's sections, only what is theirs.
    tabs = pages[0].get_by_role("tab")
    expect(tabs.filter(visible=True).filter(has_text="Disagreements")).to_have_count(0)
    assert {vote.annotator for vote in votes.standing(served.studio, project)} == {
        "annotator-0",
        "annotator-1",
    }
    for page in pages:
        page.context.close()


def test_two_votes_wanted_are_two_peoples(
    browser: Browser, served: Served, known: list[dict[str, str]]
) -> None:
    project = made(served.studio, "twice", 2, 2)
    pages = [at_work(browser, served, cookie, project) for cookie in known[:2]]
    assert [shown(page) for page in pages] == ["Pair 1", "Pair 1"]
    third = at_work(browser, served, known[2], project)
    assert shown(third) == "Pair 2"
    vote(pages[0], "1")
    assert shown(pages[0]) == "Pair 2"
    vote(pages[1], "2")
    expect(pages[1].locator("[data-part=finished]")).to_be_visible()
    for page in (*pages, third):
        page.context.close()


def test_a_studio_that_is_killed_loses_no_vote_and_no_draft(
    browser: Browser, served: Served, known: list[dict[str, str]]
) -> None:
    project = made(served.studio, "killed", 5, 1)
    page = at_work(browser, served, known[0], project)
    vote(page, "1")
    page.keyboard.press("e")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("written before the end")
    page.keyboard.press("Escape")
    expect(page.locator("[data-part=said]")).to_have_text("Draft saved.")
    os.kill(served.web.pid, signal.SIGKILL)
    served.web.wait(20)
    page.keyboard.press("c")
    page.keyboard.type("and while it was gone")
    page.keyboard.press("Escape")
    said = page.locator("[data-part=said]")
    expect(said).to_contain_text("Cannot reach Tunesmith")
    page.keyboard.press("2")
    expect(said).to_contain_text("Cannot reach Tunesmith")
    again = start_web(served.studio.settings.home, urlsplit(served.url).port or 0)
    try:
        # What was entered meanwhile is sent again by itself, until it is kept.
        expect(said).to_have_text("Draft saved.")
        page.reload()
        expect(page.locator("[data-part=number]")).to_have_text("Pair 2")
        expect(page.locator(".ts-label-answer textarea").first).to_have_value("written before the end")
        expect(page.locator("[data-part=comment]")).to_have_value("and while it was gone")
        page.keyboard.press("2")
        expect(page.locator("[data-part=number]")).to_have_text("Pair 3")
        first, second = votes.standing(served.studio, project)
        assert (
            list(second.value["edits"].values()) == ["written before the end"]
            and first.item_id != second.item_id
        )
        page.context.close()
    finally:
        again.terminate()
        again.wait(20)
