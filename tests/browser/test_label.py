"""Labelling on the keyboard alone, in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from studio_core.data import store, versions
from studio_core.labeling import imports, projects, votes
from tests.browser.conftest import Served, choose, screenshot, visit

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script> **bold** $x^2$"


@pytest.fixture
def pairs(served: Served, tmp_path: Path) -> str:
    rows = [
        {"prompt": f"Question {n}?", "chosen": f"{HOSTILE} good {n}", "rejected": f"bad {n}"}
        for n in range(12)
    ]
    file = tmp_path / "to-judge.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    dataset = store.import_file(served.studio, file).dataset
    return f"{dataset.name}@{dataset.version}"


def number(page: Page, expected: int) -> None:
    expect(page.locator("[data-part=number]")).to_have_text(re.compile(rf"\b{expected}\b|第 {expected} 对"))


def test_a_project_on_the_keyboard_alone(page: Page, served: Served, pairs: str) -> None:
    visit(page, "/label")
    page.locator("#label-name textarea, #label-name input").first.fill("by-keys")
    page.locator("#label-kind input[value=dataset]").check()
    page.locator("#label-source input").click()
    page.get_by_role("option", name=pairs).click()
    page.locator("#label-advanced button").first.click()
    page.locator("#label-guidelines textarea").fill("Prefer *facts*.")
    page.locator("#label-start").click()
    page.wait_for_url("**/label?project=*")
    number(page, 1)
    expect(page.locator(".ts-label-guide em")).to_have_text("facts")
    expect(page.locator(".ts-label-answer strong").first).to_have_text("bold")
    assert page.title() != "run" and page.locator(".ts-label-answer img").count() == 0

    page.keyboard.press("1")
    number(page, 2)
    expect(page.locator("[data-part=said]")).to_contain_text("A is better. A: ")
    page.keyboard.press("Control+1")
    page.keyboard.down("2")
    page.keyboard.down("2")  # Held: the repetition is no second vote.
    page.keyboard.up("2")
    number(page, 3)
    page.keyboard.press("c")
    page.keyboard.type("1234s is typed, not voted")
    page.keyboard.press("Escape")
    expect(page.locator("[data-part=said]")).to_have_text("Draft saved.")
    page.reload()
    number(page, 3)
    expect(page.locator("[data-part=comment]")).to_have_value("1234s is typed, not voted")
    page.keyboard.press("s")
    number(page, 4)
    page.keyboard.press("u")
    number(page, 3)
    expect(page.locator("[data-part=comment]")).to_have_value("1234s is typed, not voted")
    page.keyboard.press("e")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("A far better answer")
    page.keyboard.press("Escape")
    page.keyboard.press("x")  # No one key loses what was written.
    expect(page.locator("[data-part=comment]")).to_have_value("")
    expect(page.locator(".ts-label-answer textarea").first).to_be_hidden()
    page.keyboard.press("x")
    expect(page.locator("[data-part=comment]")).to_have_value("1234s is typed, not voted")
    page.keyboard.press("e")
    expect(page.locator(".ts-label-answer textarea").first).to_have_value("A far better answer")
    expect(page.locator(".ts-label-answer textarea").nth(1)).to_be_hidden()
    page.keyboard.press("4")
    number(page, 4)
    project = projects.get(served.studio, "by-keys")
    cast = votes.standing(served.studio, project.id)
    assert [vote.verdict for vote in cast][2] == "both_bad" and len(cast) == 3
    assert list(cast[2].value["edits"].values()) == ["A far better answer"]

    for seen in range(5, 13):
        page.keyboard.press("3" if seen % 2 else "1")
        number(page, seen)
    page.keyboard.press("2")
    expect(page.locator("[data-part=finished]")).to_be_visible()
    page.get_by_role("tab", name="Results").click()
    expect(page.locator("#label-statistics")).to_contain_text("12 of 12")
    page.locator("#label-make").click()
    expect(page.locator("#label-made").get_by_role("link", name="Train on votes")).to_have_attribute(
        "href", re.compile(r"/train\?dataset=by-keys@1&method=dpo")
    )


def test_composing_is_not_voting(page: Page, served: Served, pairs: str) -> None:
    visit(page, f"/label?project={_project(served, 'composing', pairs)}")
    number(page, 1)
    for event in ("{key: '1', isComposing: true}", "{key: 'Process', keyCode: 229}"):
        page.evaluate(
            f"document.body.dispatchEvent(new KeyboardEvent('keydown', {{bubbles: true, ...{event}}}))"
        )
    page.keyboard.press("3")
    number(page, 2)
    assert len(votes.standing(served.studio, projects.get(served.studio, "composing").id)) == 1


def test_single_answers_are_rated_by_digits(page: Page, served: Served, tmp_path: Path) -> None:
    file = tmp_path / "to-rate.jsonl"
    file.write_text(
        "".join(json.dumps({"prompt": f"q {n}", "completion": f"a {n}"}) + "\n" for n in range(3))
    )
    dataset = store.import_file(served.studio, file).dataset
    project = projects.create(served.studio, "rated", mode="rate")
    imports.from_dataset(served.studio, project.id, dataset)
    visit(page, f"/label?project={project.id}")
    number(page, 1)
    page.keyboard.press("7")
    number(page, 2)
    page.keyboard.press("0")
    number(page, 3)
    page.locator("[data-rating='3']").click()
    expect(page.locator("[data-part=finished]")).to_be_visible()
    assert [vote.value["rating"] for vote in votes.standing(served.studio, project.id)] == [7, 10, 3]


@pytest.mark.parametrize(("language", "theme"), [("en", "dark"), ("zh-CN", "light")])
def test_each_look(
    page: Page, context: BrowserContext, served: Served, pairs: str, language: str, theme: str
) -> None:
    choose(context, served.url, language=language, theme=theme)
    visit(page, f"/label?project={_project(served, f'look-{theme}', pairs)}")
    number(page, 1)
    page.keyboard.press("d")
    expect(page.locator(".ts-label-text mark").first).to_be_visible()
    screenshot(page, f"label-{language}-{theme}")
    visit(page, "/label?project=nothing")
    expect(page.locator("#label-head [role=status]")).to_contain_text("nothing")


def _project(served: Served, name: str, pairs: str) -> int:
    project = projects.create(served.studio, name, guidelines="g")
    imports.from_dataset(served.studio, project.id, versions.get(served.studio, pairs))
    return project.id
