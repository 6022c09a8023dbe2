"""The Evaluate page: two models asked by a click, watched, their items opened and made the next round's data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from studio_core.base.states import State
from studio_core.base.studio import open_studio
from studio_core.data import store
from studio_core.labeling import items, projects
from studio_core.models import registry
from studio_core.runs import queue
from tests.browser.axe import told
from tests.browser.conftest import Served, choose, in_address, screenshot, serving, visit
from tests.browser.furnished import SETTLED
from tests.unit.studio_core.evaluation.evaluated import evaluated

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, quick: dict[str, str]) -> Iterator[tuple[Served, str]]:
    """A studio with one evaluation, and its address."""
    home = tmp_path_factory.mktemp("studio") / "home"
    studio = open_studio(home=home)
    registry.ensure_demo_models(studio)
    address = f"/evaluate?job={evaluated(studio).id}"
    studio.close()
    with serving(home, **quick) as opened:
        yield opened, address


@pytest.fixture(scope="module")
def served(done: tuple[Served, str]) -> Served:
    return done[0]


def pick(page: Page, field: str, *names: str) -> None:
    """Choose these of a list, one after the other."""
    box = page.locator(f"#{field} input")
    for name in names:
        box.click()
        page.get_by_role("option", name=name, exact=True).click()
    box.press("Escape")


def test_two_models_are_asked_by_a_click_and_watched(page: Page, done: tuple[Served, str]) -> None:
    served, _ = done
    visit(page, "/evaluate")
    page.locator("#evaluate-start button, button#evaluate-start").first.click()
    expect(page.get_by_text("Choose at least one model.")).to_be_visible()
    pick(page, "evaluate-models", "tiny-base", "tiny-chat")
    pick(page, "evaluate-suites", "Facts")
    page.locator("#evaluate-limit input, #evaluate-limit textarea").fill("20")
    page.locator("#evaluate-start button, button#evaluate-start").first.click()
    expect(page.locator("#evaluation-head h1")).to_contain_text("facts: tiny-base, tiny-chat", timeout=60_000)
    expect(page.locator("#evaluation-report .verdicts")).to_contain_text("better, p < 0.001", timeout=90_000)
    # The items come without the page being loaded again.
    expect(page.locator("#items-list .ts-item").first).to_be_visible()
    number = int(in_address(page, "job"))
    assert queue.get(served.studio, number).state == State.SUCCEEDED
    page.get_by_role("link", name="All evaluations").click()
    expect(page.locator("#evaluate-jobs")).to_contain_text("facts: tiny-base, tiny-chat")
    expect(page.locator("#evaluate-board")).to_contain_text("n = 20")


def test_lost_items_become_data(page: Page, done: tuple[Served, str]) -> None:
    served, address = done
    visit(page, address)
    listed = page.locator("#items-list")
    expect(page.locator("#items-which input")).to_have_value("Lost (2)")
    expect(listed.locator(".ts-item")).to_have_count(2)
    first = listed.locator(".ts-item").first
    expect(first.locator(".ts-item-side").nth(0)).to_contain_text("right")
    expect(first.locator(".ts-item-side").nth(1)).to_contain_text("Wanted: ")
    # What a model wrote is text, whatever it looks like.
    expect(first).to_contain_text("<b>tiny-chat</b> does not know")
    question = first.locator(".ts-prompt").inner_text()
    page.get_by_label("Mark differences").check()
    expect(first.locator("mark").first).to_be_visible()
    page.get_by_label("Mark differences").uncheck()
    expect(first.locator("mark")).to_have_count(0)

    first.get_by_role("button", name="Preference pair").click()
    expect(page.locator("#items-done")).to_contain_text("1 record added to")
    [record] = store.records(
        served.studio, store.get(served.studio, page.locator("#items-done a").inner_text())
    )
    assert record["prompt"][-1]["content"] == question
    assert "says tiny-base" in record["chosen"][0]["content"]
    first.get_by_role("button", name="Preference pair").click()
    expect(page.locator("#items-done")).to_contain_text("Already in")

    page.locator("#items-project input, #items-project textarea").fill("lost-facts")
    page.get_by_role("button", name="Send all shown by this filter to labelling").click()
    expect(page.locator("#items-done")).to_contain_text("2 items sent to")
    project = projects.get(served.studio, "lost-facts")
    assert items.count(served.studio, project.id) == 2
    page.locator("#items-done a").click()
    expect(page).to_have_url(re.compile(rf"/label\?project={project.id}(&|$)"))


@pytest.mark.parametrize("job", ["999", "abc"])
def test_an_address_of_no_evaluation_is_told(page: Page, done: tuple[Served, str], job: str) -> None:
    visit(page, f"/evaluate?job={job}")
    expect(page.locator("#evaluate-problem").get_by_role("alert")).to_contain_text(job)
    expect(page.locator("#evaluate-jobs")).to_contain_text("facts")


def test_items_are_narrowed_and_turned(page: Page, done: tuple[Served, str]) -> None:
    visit(page, done[1])
    expect(page.locator("#items-list .ts-item")).to_have_count(2)
    pick(page, "items-which", "All (20)")
    expect(page.locator("#items-position")).to_contain_text("1–10 of 20")
    page.locator("#items-next").click()
    expect(page.locator("#items-position")).to_contain_text("11–20 of 20")
    pick(page, "items-which", "No score (1)")
    expect(page.locator("#items-list .ts-item")).to_have_count(1)
    expect(page.locator("#items-list")).to_contain_text("no score")
    with page.expect_download() as picture:
        page.locator("#evaluation-report figure").first.get_by_role("button", name="PNG").click()
    assert picture.value.path().read_bytes().startswith(b"\x89PNG")
    assert picture.value.path().stat().st_size > 5_000, "something is drawn on it"
    with page.expect_download() as file:
        page.get_by_role("link", name="HTML page").click()
    saved = file.value.path().read_text()
    assert "tiny-chat" in saved and "Content-Security-Policy" in saved
    assert "http" not in saved.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")
    assert told(page) == []


def test_questions_of_a_suite_are_brought_and_chosen(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "test.jsonl"
    records = [{"question": f"1+{n}?", "answer": f"#### {1 + n}"} for n in (1, 2)]
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    visit(page, "/evaluate")
    section = page.locator("#evaluate-bringing")
    section.get_by_role("button", name="Questions of suites").click()
    row = section.get_by_role("row").filter(has_text="openai/gsm8k")
    expect(row).to_contain_text("not here")
    pick(page, "bringing-suite", "GSM8K")
    page.locator("#bringing-add").click()
    expect(page.get_by_text("Choose the file with the questions first.")).to_be_visible()
    page.locator("#bringing-file [data-part=input-files]").set_input_files([file])
    expect(page.locator("#bringing-file [data-part=progress]")).to_have_attribute("data-state", "done")
    screenshot(page, "suites-brought")
    expect(page.locator("#bringing-file").get_by_role("button", name="Pause")).to_be_hidden()
    page.locator("#bringing-add").click()
    expect(page.locator("#bringing-told")).to_contain_text("GSM8K has 2 questions now.")
    expect(row).not_to_contain_text("not here")
    expect(page.locator("#bringing-file [data-part=drop]")).to_be_visible()
    assert told(page) == []
    wide = page.viewport_size
    page.set_viewport_size({"width": 400, "height": 900})
    page.evaluate(SETTLED)
    screenshot(page, "suites-added-400")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    page.set_viewport_size(wide or {"width": 1280, "height": 860})
    page.reload()
    pick(page, "evaluate-suites", "GSM8K")
    expect(page.locator("#evaluate-suites")).to_contain_text("GSM8K")


@pytest.mark.parametrize(("language", "theme", "width"), [("en", "light", 1280), ("zh-CN", "dark", 400)])
def test_how_it_looks(
    page: Page, context: BrowserContext, done: tuple[Served, str], language: str, theme: str, width: int
) -> None:
    served, address = done
    choose(context, served.url, language=language, theme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    for name, path in (("evaluate", "/evaluate"), ("evaluation", address)):
        visit(page, path)
        page.evaluate(SETTLED)
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert over <= 0, f"{name} is {over} pixels too wide"
        screenshot(page, f"{name}-{language}-{theme}-{width}")
