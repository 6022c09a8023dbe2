"""Rollouts on a run's page: looked through, and made data to train on, by clicks and by keys."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from studio_core.base.studio import open_studio
from studio_core.data import store
from studio_core.models import registry
from tests.browser.axe import told
from tests.browser.conftest import Served, choose, screenshot, serving, visit
from tests.browser.furnished import SETTLED, rollouts_run

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, quick: dict[str, str]) -> Iterator[tuple[Served, str]]:
    home = tmp_path_factory.mktemp("studio") / "home"
    studio = open_studio(home=home)
    registry.ensure_demo_models(studio)
    address = rollouts_run(studio, tmp_path_factory.mktemp("files"))
    studio.close()
    with serving(home, **quick) as opened:
        yield opened, address


@pytest.fixture(scope="module")
def served(run: tuple[Served, str]) -> Served:
    return run[0]


def shade(page: Page, figure: str) -> None:
    page.locator("#rollouts-shade input").first.click()
    page.get_by_role("option", name=figure, exact=True).last.click()


def test_rollouts_are_looked_through_and_added(page: Page, run: tuple[Served, str]) -> None:
    opened, address = run
    visit(page, address)
    listed, position = page.locator("#rollouts-list"), page.locator("#rollouts-position")
    expect(position).to_contain_text("1 to 24 of 48")
    expect(listed.locator(".ts-rollouts")).to_have_count(6)
    shade(page, "Ratio")
    token = listed.get_by_title("1.3", exact=True)
    expect(token).to_contain_text("3")
    seen = token.locator(".ts-unseen").bounding_box()
    assert seen and seen["width"] <= 1, "the number is for those who hear it"
    expect(page.locator("#rollouts-legend")).to_contain_text("Probability of each token")
    assert told(page) == []
    page.get_by_role("button", name="Next", exact=True).click()
    expect(position).to_contain_text("25 to 48 of 48")
    page.get_by_label("Search", exact=True).fill("7 PLUS")
    expect(position).to_contain_text("1 to 4 of 4")
    expect(listed.locator("mark").first).to_have_text("7 plus")
    page.get_by_label("Step", exact=True).fill("x")
    expect(position).to_contain_text("'x' is not a step")
    page.get_by_label("Step", exact=True).fill("7")
    expect(position).to_contain_text("1 to 4 of 4")

    # By keys alone.
    listed.get_by_role("button", name="Add pair").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#rollouts-added")).to_contain_text("Added as record 1")
    name = page.locator("#rollouts-added a").inner_text()
    dataset = store.get(opened.studio, name)
    [record] = store.records(opened.studio, dataset)
    assert record["prompt"][-1]["content"] == "7 plus 1"
    assert (record["chosen"][0]["content"], record["rejected"][0]["content"]) == ("so 1", "so 0")
    assert told(page, colours=False) == []


@pytest.mark.parametrize(("language", "theme", "width"), [("en", "light", 1280), ("zh-CN", "dark", 400)])
def test_how_it_looks(
    page: Page, context: BrowserContext, run: tuple[Served, str], language: str, theme: str, width: int
) -> None:
    opened, address = run
    choose(context, opened.url, language=language, theme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    visit(page, address)
    shade(page, {"en": "Advantage", "zh-CN": "优势"}[language])
    expect(page.locator("#rollouts-legend .ts-token")).to_have_count(8)
    page.locator("#rollouts-list .ts-rollouts").first.scroll_into_view_if_needed()
    page.evaluate(SETTLED)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    screenshot(page, f"rollouts-{language}-{theme}")
