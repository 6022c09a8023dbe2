"""The frame around all pages: it opens in every look, speaks two languages, and needs no mouse."""

from __future__ import annotations

import re
from types import ModuleType

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from app.pages import PAGES
from studio_core.texts import text
from tests.browser.conftest import Served, choose, screenshot, visit

LOOKS = [("light", "en", 1280), ("dark", "zh-CN", 1280), ("light", "zh-CN", 390), ("dark", "en", 390)]


ADDRESSES = {"dataset": "/dataset?id=1"}
"""Of pages that show one thing."""


def _within(page: ModuleType) -> str:
    """The entry of the navigation under which a page belongs."""
    return getattr(page, "WITHIN", page.NAME)


@pytest.mark.parametrize(("theme", "language", "width"), LOOKS)
def test_every_page_opens_in_every_look(
    page: Page, context: BrowserContext, served: Served, theme: str, language: str, width: int
) -> None:
    choose(context, served.url, language=language, theme=theme)
    page.set_viewport_size({"width": width, "height": 860})
    for module in PAGES:
        visit(page, ADDRESSES.get(module.NAME, module.PATH))
        expect(page).to_have_title(f"{text(f'shell.nav_{module.NAME}', language)} · Tunesmith")
        expect(page.locator("html")).to_have_attribute("lang", language)
        expect(page.locator("nav.ts-nav [aria-current=page]")).to_have_id(f"nav-{_within(module)}")
        expect(page.locator("#ts-content h1").first).to_be_visible()
        assert page.evaluate("document.body.classList.contains('dark')") == (theme == "dark")
        assert "__i18n__" not in page.locator("#ts-content").inner_text()
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, f"{module.NAME} is {overflow} px too wide"
        screenshot(page, f"{module.NAME}-{theme}-{language}-{width}")


def test_the_smallest_phone_shows_the_whole_navigation(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 640})
    visit(page, "/settings")
    expect(page.locator("#nav-settings")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for id in ("lang-en", "theme-dark", "queue-status"):
        expect(page.locator(f"#{id}")).to_be_in_viewport()


def test_the_keyboard_alone_reaches_every_page(page: Page) -> None:
    visit(page, "/")
    page.keyboard.press("Tab")
    expect(page.locator(".ts-skip")).to_be_focused()
    page.keyboard.press("Tab")  # The brand.
    listed = [module for module in PAGES if _within(module) == module.NAME]
    for module in listed:
        page.keyboard.press("Tab")
        expect(page.locator(f"#nav-{module.NAME}")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"{listed[-1].PATH}$"))
    page.locator(".gradio-container main").first.wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#ts-content")).to_be_focused()
    expect(page.locator("nav.ts-nav [aria-current=page]")).to_have_id("nav-settings")


def test_the_language_is_remembered(page: Page, context: BrowserContext) -> None:
    visit(page, "/")
    expect(page.locator("#home-body h1")).to_be_visible()
    with page.expect_navigation():
        page.locator("#lang-zh-CN").click()
    expect(page.locator("#nav-data")).to_have_text(text("shell.nav_data", "zh-CN"))
    expect(page.locator("#home-body")).to_contain_text(text("shell.home_try", "zh-CN"))
    visit(page, "/models")
    expect(page.get_by_role("button", name=text("shell.models_add", "zh-CN")).first).to_be_visible()
    other = context.new_page()
    visit(other, "/settings")
    expect(other.locator("html")).to_have_attribute("lang", "zh-CN")


def test_the_theme_changes_at_once_and_is_remembered(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    visit(page, "/")
    expect(page.locator("body")).not_to_have_class("dark")
    page.locator("#theme-dark").click()
    expect(page.locator("#theme-dark")).to_have_attribute("aria-pressed", "true")
    for _ in range(2):
        assert page.evaluate("document.body.classList.contains('dark')")
        assert page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"
        visit(page, "/settings")
    page.locator("#settings-body [data-choice=auto]").click()
    expect(page.locator("#theme-auto")).to_have_attribute("aria-pressed", "true")
    assert not page.evaluate("document.body.classList.contains('dark')")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.body.classList.contains('dark')")


def test_the_queue_is_told_of_a_lost_connection(page: Page) -> None:
    visit(page, "/")
    expect(page.locator(".ts-status-text")).to_have_text(text("shell.status_idle"))
    page.route("**/api/status", lambda route: route.fulfill(status=200, body="not json"))
    expect(page.locator(".ts-status-text")).to_have_text(text("shell.status_lost"))


def test_the_start_page_leads_into_the_loop(page: Page) -> None:
    visit(page, "/")
    expect(page.locator(".ts-loop li")).to_have_count(5)
    page.locator("#try-sft a").click()
    expect(page).to_have_url(re.compile(r"/train\?.*model=tiny-base"))


def test_a_model_that_cannot_be_added_is_explained(page: Page, served: Served) -> None:
    visit(page, "/models")
    expect(page.locator("#models-list")).to_contain_text("tiny-chat")
    page.get_by_role("button", name=text("shell.models_add")).first.click()
    page.locator("#model-source textarea, #model-source input").fill("/no/such/<b>folder</b>")
    page.locator("#model-add").click()
    toast = page.get_by_test_id("toast-body")
    expect(toast).to_contain_text("/no/such/<b>folder</b>")
    expect(page.locator("#models-list tbody tr")).to_have_count(2)


def test_the_studio_examines_and_repairs_itself(page: Page, served: Served) -> None:
    visit(page, "/settings")
    expect(page.locator("#settings-body")).to_contain_text("TUNESMITH_HOME")
    page.locator("#check-now").click()
    expect(page.locator("#check-result tbody tr").first).to_be_visible()
    expect(page.locator("#check-result")).to_contain_text("SQLite")
    expect(page.locator("#check-result .ts-badge-bad")).to_have_count(0)
    expect(page.locator("#repair-now")).to_have_count(0)
    (served.studio.settings.runs / "777").mkdir()
    page.locator("#check-now").click()
    expect(page.locator("#check-result")).to_contain_text("777")
    page.locator("#repair-now").click()
    expect(page.locator("#check-result")).to_contain_text("moved to")
    expect(page.locator("#repair-now")).to_have_count(0)
    assert not (served.studio.settings.runs / "777").exists()


def test_an_unknown_address_leads_back(page: Page, served: Served) -> None:
    answer = page.request.get(f"{served.url}/nothing-here")
    assert answer.status == 404
    assert "Page not found" in answer.text()
