"""Ranking, correcting, changing one's mind, and guidelines that change: on the keyboard, in a real browser."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from studio_core.base.states import State
from studio_core.labeling import assignment, projects, votes
from studio_core.labeling.votes import Verdict
from studio_core.runs import queue
from tests.browser.conftest import Served, screenshot, visit
from tests.browser.furnished import label_project
from tests.browser.test_label import number

pytestmark = pytest.mark.browser


def made(served: Served, name: str, mode: str, answers: int, **settings: object) -> int:
    return label_project(served.studio, name, mode, answers, 5, **settings)


def test_answers_are_ranked_by_digits(page: Page, served: Served) -> None:
    project = made(served, "ranked", "rank", 4)
    visit(page, f"/label?project={project}")
    number(page, 1)
    submit = page.locator("[data-part=rank-submit]")
    page.keyboard.press("Enter")
    expect(submit).to_be_disabled()
    page.keyboard.press("3")
    page.keyboard.press("1")
    page.keyboard.press("8")  # There are four answers.
    expect(page.locator("[data-rank='2']")).to_contain_text("rank 1")
    page.keyboard.press("2")
    expect(page.locator("[data-rank='3']")).to_contain_text("rank 4")  # All that is left.
    page.keyboard.press("Backspace")
    expect(submit).to_be_disabled()
    page.keyboard.press("1")
    page.keyboard.press("4")
    expect(page.locator("[data-part=said]")).to_have_text("Draft saved.")
    page.reload()
    number(page, 1)
    expect(page.locator("[data-part=state]")).to_have_text("draft")
    expect(page.locator("[data-rank='3']")).to_contain_text("rank 2")
    screenshot(page, "label-rank")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    number(page, 2)
    [vote] = votes.standing(served.studio, project)
    assert [vote.order.index(place) for place in vote.value["ranking"]] == [2, 3, 0, 1]
    page.keyboard.press("u")
    number(page, 1)
    expect(page.locator("[data-rank='1']")).to_contain_text("rank 4")
    page.keyboard.press("4")
    page.keyboard.press("s")  # Skipped while it was being ranked: what was begun comes back.
    number(page, 2)
    page.keyboard.press("u")
    number(page, 1)
    expect(page.locator("[data-rank='2']")).to_contain_text("rank 1")
    expect(page.locator("[data-rank='0']")).to_contain_text("rank 2")
    expect(page.locator("[data-rank='3']")).to_contain_text("rank 4")


def test_answers_that_are_good_or_bad_train_a_model(page: Page, served: Served) -> None:
    project = made(served, "liked", "rate", 1, scale=2, held_out=0.0)
    visit(page, f"/label?project={project}")
    expect(page.locator("[data-rating='2']")).to_have_text("good 2")
    for item, key in enumerate("21212", 1):
        number(page, item)
        page.keyboard.press(key)
    expect(page.locator("[data-part=finished]")).to_be_visible()
    page.get_by_role("tab", name="Rounds").click()
    page.locator("#rounds-train").click()
    page.wait_for_url("**/train?*")
    expect(page.locator("#train-plan [data-ready='true']")).to_be_visible()
    expect(page.locator("#train-method .ts-chooser")).to_have_attribute("data-value", "kto")
    expect(page.locator("#train-dataset input")).to_have_value("liked@1")
    expect(page.locator("#train-model input")).to_have_value("tiny-chat")
    page.locator("#train-start").click()
    page.wait_for_url("**/runs?run=*")
    expect(page.locator("#run-state")).to_contain_text("Finished", timeout=120_000)
    expect(page.locator("#run-chart-margins")).to_contain_text("good answers")
    screenshot(page, "label-kto")
    [run] = queue.all_jobs(served.studio, kind="train")
    assert (run.method, run.state, run.resolved["rows"]) == ("kto", State.SUCCEEDED, 5)


def test_an_answer_is_corrected_without_the_mouse(page: Page, served: Served) -> None:
    project = made(served, "corrected", "rate", 1, correct=True)
    visit(page, f"/label?project={project}")
    number(page, 1)
    expect(page.locator(".ts-label-answer textarea").first).to_be_focused()
    screenshot(page, "label-correct")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("1 is better, 2 is not")
    page.keyboard.press("Control+Enter")
    number(page, 2)
    expect(page.locator(".ts-label-answer textarea").first).to_be_focused()
    page.keyboard.press("Control+Enter")  # Good as it is.
    number(page, 3)
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    number(page, 4)
    cast = votes.standing(served.studio, project)
    assert [(vote.verdict, vote.value.get("rating")) for vote in cast] == [
        ("rated", 1),
        ("rated", 2),
        ("skip", None),
    ]
    assert cast[0].value["edits"] == {"0": "1 is better, 2 is not"}


def test_guidelines_that_change_are_shown_at_the_next_vote(page: Page, served: Served) -> None:
    project = made(served, "guided", "pairs", 2)
    visit(page, f"/label?project={project}")
    number(page, 1)
    news = page.locator("[data-part=guide-news]")
    expect(news).to_be_hidden()
    projects.write_guidelines(served.studio, project, "Prefer *short* facts.")
    page.keyboard.press("1")
    number(page, 2)
    expect(news).to_be_visible()
    expect(news.locator("ins").first).to_contain_text("short")
    screenshot(page, "label-guide-changed")
    page.get_by_role("button", name="Got it").click()
    expect(news).to_be_hidden()
    page.keyboard.press("g")
    expect(page.locator("[data-part=guide-text]")).to_be_hidden()


def test_a_vote_is_changed_later(page: Page, served: Served) -> None:
    project = made(served, "changed", "pairs", 2, strength=True)
    visit(page, f"/label?project={project}")
    number(page, 1)
    page.keyboard.press("Shift+Digit2")
    page.keyboard.press("w")
    clearly = page.locator("[data-strength=clearly]")
    expect(clearly).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("x")
    expect(clearly).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("x")  # What one key clears the same key brings back.
    expect(clearly).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("1")
    number(page, 2)
    page.keyboard.press("s")
    number(page, 3)
    first, skipped = votes.standing(served.studio, project)
    assert first.reasons == ["instruction"] and first.value["strength"] == "clearly"
    visit(page, f"/label?project={project}&item={first.item_id}")
    number(page, 1)
    expect(page.locator("[data-part=state]")).to_have_text("labelled")
    page.keyboard.press("l")
    number(page, 3)
    assert "item=" not in page.url
    visit(page, f"/label?project={project}&item={skipped.item_id}")
    number(page, 2)
    expect(page.locator("[data-part=state]")).to_have_text("skipped")
    page.keyboard.press("4")
    expect(page.locator("[data-part=number]")).not_to_have_text(re.compile(r"\b2\b"))
    assert [vote.verdict for vote in votes.standing(served.studio, project)][1] == "both_bad"

    visit(page, f"/label?project={project}&item={first.item_id}")
    number(page, 1)
    page.get_by_role("button", name="Withdraw vote").click()
    expect(page.locator("[data-part=said]")).to_have_text("Vote withdrawn. Press U to undo.")
    assert len(votes.standing(served.studio, project)) == 1
    page.reload()
    number(page, 3)
    page.keyboard.press("u")
    number(page, 1)
    expect(page.locator("[data-part=state]")).to_have_text("labelled")
    expect(clearly).to_have_attribute("aria-pressed", "true")
    again = votes.standing(served.studio, project)[0]
    assert (again.id, again.verdict, again.created_at) == (first.id, first.verdict, first.created_at)


def test_disagreements_are_decided_by_keys(page: Page, served: Served) -> None:
    project = made(served, "disputed", "pairs", 2, votes=2)
    for name, place in (("anna", 0), ("ben", 1)) * 3:
        shown = assignment.next_item(served.studio, project, name)
        assert shown is not None
        said = Verdict(
            ("left", "right")[shown.order.index(place)], comment=f"{name} says so", reasons=["factual"]
        )
        votes.cast(served.studio, project, name, shown.item.id, said)
    visit(page, f"/label?project={project}&section=disagreements")
    cases = page.locator("#label-cases-body")
    expect(cases.locator("[data-part=number]")).to_have_text("Pair 1")
    expect(cases.locator("[data-part=progress]")).to_have_text("3 open · 0 decided")
    expect(cases.locator("[data-part=votes]")).to_contain_text("ben says so")
    screenshot(page, "label-disagreements")
    page.keyboard.press("2")
    expect(cases.locator("[data-part=number]")).to_have_text("Pair 2")
    page.keyboard.press("n")
    expect(cases.locator("[data-part=number]")).to_have_text("Pair 3")
    page.keyboard.press("c")
    page.keyboard.type("1 of both is bad")
    page.keyboard.press("Escape")
    page.keyboard.press("p")
    expect(cases.locator("[data-part=number]")).to_have_text("Pair 2")
    expect(cases.locator("[data-part=comment]")).to_have_value("")
    page.keyboard.press("n")
    expect(cases.locator("[data-part=number]")).to_have_text("Pair 3")
    expect(cases.locator("[data-part=comment]")).to_have_value("1 of both is bad")
    expect(cases).not_to_have_attribute("aria-busy", "true")
    page.keyboard.press("4")
    expect(cases.locator("[data-part=progress]")).to_have_text("1 open · 2 decided")
    expect(cases).not_to_have_attribute("aria-busy", "true")
    page.keyboard.press("u")
    expect(cases.locator("[data-part=progress]")).to_have_text("2 open · 1 decided")
    expect(cases.locator("[data-part=comment]")).to_have_value("1 of both is bad")
    standing = votes.standing(served.studio, project)
    assert [(vote.verdict, vote.annotator) for vote in standing if vote.origin == "adjudicator"] == [
        ("b", "me")
    ]
    assert len(standing) == 7  # Nothing was voted on the screen behind the other tab.
    expect(cases).not_to_have_attribute("aria-busy", "true")
    page.keyboard.press("v")
    expect(cases.locator("[data-part=said]")).to_contain_text("Decided by me")


def test_a_project_is_changed_and_its_votes_leave_as_a_file(page: Page, served: Served) -> None:
    project = made(served, "settled", "pairs", 2, held_out=0.0)
    visit(page, f"/label?project={project}")
    for pair in (1, 2):
        number(page, pair)
        page.keyboard.press("1")
    number(page, 3)
    page.get_by_role("tab", name="My votes").click()
    expect(page.locator("#label-history tbody tr")).to_have_count(2)
    page.keyboard.press("1")  # The screen is behind another tab: nothing is judged.
    page.locator("#label-history-undo").click()
    number(page, 2)
    page.keyboard.press("1")
    number(page, 3)
    page.get_by_role("tab", name="Results").click()
    expect(page.locator("#report-chart-left .js-plotly-plot")).to_be_visible()
    with page.expect_download() as waiting:
        page.locator("#label-download").click()
    lines = waiting.value.path().read_text().splitlines()
    assert waiting.value.suggested_filename == "settled-preference.jsonl" and len(lines) == 2
    assert {"prompt", "chosen", "rejected"} <= json.loads(lines[0]).keys()
    page.get_by_role("tab", name="Settings").click()
    page.locator("#label-guide-text textarea").fill("Prefer *short* facts.")
    page.locator("#label-guide-save").click()
    expect(page.locator("#label-guide-difference ins").first).to_contain_text("short")
    page.locator("#label-guide-back").click()
    expect(page.locator("#label-guide-text textarea")).to_have_value("Prefer *facts*.")
    page.locator("#label-settings-votes input").fill("3")
    page.locator("#label-settings-save").click()
    expect(page.get_by_text("Applies from the next item")).to_be_visible()
    assert projects.settings_of(projects.get(served.studio, project)).votes == 3
    card = page.locator("#label-card")
    card.locator("[data-keep=delete]").click()
    expect(card.locator(".ts-notice")).to_contain_text("votes are kept")
    card.locator("[data-keep=archive]").click()
    expect(card.locator("[data-keep=unarchive]")).to_be_visible()
    visit(page, "/label?archived=1")
    expect(page.locator("#label-list")).to_contain_text("settled")
