"""Projects whose answers models write: made with two clicks, judged while more are written."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from studio_core.base.states import TERMINAL
from studio_core.base.tables import LabelProject
from studio_core.generation import services
from studio_core.labeling import items, making, projects
from studio_core.labeling.items import Answer, NewItem
from tests.browser.conftest import Served, in_address, screenshot, visit
from tests.conftest import wait_until
from tests.fake_service import fake_service, reply

pytestmark = pytest.mark.browser

FIRST = 90_000
"""Milliseconds until the first answers: a worker may have to load its libraries first."""


def opened(page: Page, served: Served) -> LabelProject:
    page.wait_for_url("**/label?project=*")
    return projects.get(served.studio, in_address(page, "project"))


def kind(page: Page, name: str) -> None:
    page.locator(f"#label-kind input[value={name}]").check()


def paste(page: Page, text: str) -> None:
    page.locator("#label-origin input[value=text]").check()
    page.locator("#label-text textarea").fill(text)
    page.locator("#label-advanced button").first.click()
    page.locator("#label-held-out input").fill("0")


def written(served: Served, project: LabelProject) -> LabelProject:
    def ended() -> bool:
        job = making.job_of(served.studio, project)
        return job is not None and job.state in TERMINAL

    wait_until(ended, 120, "all answers")
    return projects.get(served.studio, project.id)


def test_two_clicks_make_pairs_that_can_be_judged_at_once(page: Page, served: Served) -> None:
    visit(page, "/label")
    expect(page.locator("#label-dataset input")).to_have_value("sums-prompts@1")
    page.locator("#label-start").click()
    project = opened(page, served)
    expect(page.locator("[data-part=task]")).to_be_visible(timeout=FIRST)
    expect(page.locator("[data-part=number]")).to_have_text(re.compile(r"\b1\b"))
    page.keyboard.press("1")
    expect(page.locator("[data-part=number]")).to_have_text(re.compile(r"\b2\b"))
    counts = written(served, project).counts
    assert counts["added"] > 20 and counts["identical"] > 0 and counts["held_out"] > 0
    said = page.locator("#label-making")
    expect(said).to_contain_text(f"{counts['added']} pairs generated")
    expect(said).to_contain_text(f"{counts['identical']} skipped, identical answers")
    screenshot(page, "making")
    said.get_by_role("link").click()
    expect(page.locator("main")).to_contain_text("held out")


def test_every_kind_asks_for_what_it_needs(page: Page, served: Served) -> None:
    visit(page, "/label")
    system, reward = page.locator("#label-system"), page.locator("#label-reward")
    expect(page.locator("#label-other-temperature")).to_be_visible()
    kind(page, "systems")
    expect(page.locator("#label-other-system")).to_be_visible()
    expect(page.locator("#label-other-temperature")).to_be_hidden()
    kind(page, "best_worst")
    expect(reward).to_be_visible()
    characters, text = (page.locator(f"#label-reward_options-{name}") for name in ("characters", "text"))
    expect(characters).to_be_visible()
    expect(text).to_be_hidden()
    reward.locator("input").click()
    page.get_by_role("option", name="contains text", exact=True).click()
    expect(text).to_be_visible()
    expect(characters).to_be_hidden()
    expect(system).to_be_hidden()
    kind(page, "dataset")
    expect(page.locator("#label-source")).to_be_visible()
    expect(page.locator("#label-prompts")).to_be_hidden()
    kind(page, "correct")
    expect(page.locator("#label-model")).to_be_visible()
    expect(page.locator("#label-source")).to_be_hidden()
    paste(page, "Who are you?\n\nWhat is 2 plus 3?\nSay only the number.")
    page.locator("#label-start").click()
    project = opened(page, served)
    assert project.mode == "rate" and projects.settings_of(project).correct
    expect(page.locator("[data-part=task] textarea").first).to_be_visible(timeout=FIRST)
    assert written(served, project).counts == {"added": 2}
    assert items.page(served.studio, project.id)[1].prompt[0]["content"].count("\n") == 1


def test_a_project_without_prompts_is_refused_in_words(page: Page, served: Served) -> None:
    visit(page, "/label")
    kind(page, "rank")
    expect(page.locator("#label-models")).to_be_visible()
    paste(page, " ")
    page.locator("#label-start").click()
    expect(page.get_by_text("No new prompts")).to_be_visible()
    page.locator("#label-text textarea").fill("Who are you?\nWho made you?")
    page.locator("#label-start").click()
    project = opened(page, served)
    assert project.mode == "rank" and len(project.sources) == 3
    expect(page.locator("[data-part=task]")).to_be_visible(timeout=FIRST)


def test_a_judge_is_used_only_once_it_is_measured(page: Page, served: Served) -> None:
    one = projects.create(served.studio, "judged", settings={"held_out": 0.0})
    prompt = [[{"role": "user", "content": f"question {n}"}] for n in range(4)]
    answers = [Answer("short", "a"), Answer("a longer answer", "b")]
    items.add(served.studio, one.id, (NewItem(said, answers) for said in prompt))  # type: ignore[arg-type]
    with fake_service(lambda document, before: (200, reply("A"), {})) as service:
        services.add(served.studio.settings.home / services.FILE, "far", service.address, "big", "key")
        visit(page, f"/label?project={one.id}&section=judge")
        page.locator("#label-judge-who input").click()
        page.get_by_role("option", name=re.compile("^far")).click()
        page.locator("#label-judge-start").click()
        judge = page.locator("[data-judge=far]")
        expect(judge).to_contain_text("20 more votes are needed", timeout=FIRST)
        # It always took the first one, whatever that was.
        expect(judge).to_contain_text("4 ties (4 decided by order)", timeout=FIRST)
    use = page.locator("#label-judge-use input")
    use.click()
    expect(page.get_by_text("Agreement of judge far with people is not known yet")).to_be_visible()
    expect(use).not_to_be_checked()
    assert not projects.get(served.studio, one.id).settings["judges"]
