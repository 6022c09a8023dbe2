"""Accounts as people meet them: the first one made, signing in, being slowed down, labelling only, signing out."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from studio_core.people import accounts
from studio_core.people.sign_in_failures import PAIR
from tests.browser.conftest import (
    Served,
    choose,
    screenshot,
    serving,
    visit,
    watch,
)

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, quick: dict[str, str]) -> Iterator[Served]:
    """A studio without models or workers, in which nobody has an account yet."""
    with serving(tmp_path_factory.mktemp("people") / "home", **quick) as made:
        yield made


@pytest.fixture
def people(served: Served) -> None:
    """An administrator and a trainer who may sign in, whatever the tests before did or left."""
    known = {user.name for user in accounts.all_accounts(served.studio)}
    for name, role in (("ann", "administrator"), ("tom", "trainer")):
        if name not in known:
            accounts.add(served.studio, name, role, PASSWORD)
        else:
            accounts.set_password(served.studio, name, PASSWORD)  # It lifts a lock-out.


def someone(browser: Browser, served: Served, **more: object) -> BrowserContext:
    """A browser of another person."""
    context = browser.new_context(base_url=served.url, locale="en-US", **more)  # type: ignore[arg-type]
    context.set_default_timeout(45_000)
    return context


def enter(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")


def test_the_first_account_is_made_on_the_page_and_closes_the_studio(page: Page, served: Served) -> None:
    # By this the page learns that it needs a session now.
    page.route("**/api/status", lambda route: route.fulfill(json={"text": "", "running": 0, "queued": 0}))
    visit(page, "/users")
    expect(page.locator("#users-list")).to_contain_text("There are no accounts")
    expect(page.locator("#who")).to_have_count(0)
    page.locator("#user-name input, #user-name textarea").fill("ann")
    page.locator("#user-role").get_by_label("trainer").check()
    page.locator("#user-add").click()
    expect(page.get_by_text("The first account must be an administrator")).to_be_visible()
    page.locator("#user-role").get_by_label("administrator").check()
    page.locator("#user-password input").fill(PASSWORD)
    page.locator("#user-add").click()
    expect(page.locator("#users-told")).to_contain_text("ann can now sign in")
    expect(page.locator("#users-told a")).to_have_attribute("href", "/sign-in")
    assert accounts.find(served.studio, "ann").role == "administrator"
    page.unroute("**/api/status")
    expect(page).to_have_url(re.compile("/sign-in"))  # Whoever does not follow the link is led there.


def test_an_administrator_adds_people_with_one_time_passwords(
    page: Page, served: Served, people: None, browser: Browser
) -> None:
    page.goto("/users")
    expect(page).to_have_url(f"{served.url}/sign-in?next=%2Fusers")
    enter(page, "Ann")
    expect(page).to_have_url(f"{served.url}/users")
    expect(page.locator("#who")).to_have_text("ann")
    page.locator("#user-name input, #user-name textarea").fill("lea")
    page.locator("#user-role").get_by_label("annotator").check()
    page.locator("#user-again input").fill(PASSWORD)
    page.locator("#user-add").click()
    made = page.locator("#one-time").inner_text()
    expect(page.locator("#users-list")).to_contain_text("One-time password")
    screenshot(page, "users-light")

    context = someone(browser, served)
    hers = context.new_page()
    unclean = watch(hers, served.url)
    hers.goto("/")
    enter(hers, "lea", made)
    expect(hers).to_have_url(f"{served.url}/account")
    expect(hers.get_by_role("status")).to_contain_text("one-time password")
    hers.get_by_label("Current password").fill(made)
    hers.get_by_label("New password", exact=True).fill("my own good phrase")
    hers.get_by_label("Confirm new password").fill("my own good phrase")
    hers.get_by_role("button", name="Change password").click()
    expect(hers.get_by_text("This is a one-time password")).to_have_count(0)
    for elsewhere in ("/data", "/train", "/runs", "/chat", "/models", "/users", "/settings"):
        answer = hers.goto(elsewhere)
        assert answer and answer.status == 403
    hers.goto("/")
    for name in ("data", "train", "runs", "chat", "models", "users", "settings"):
        expect(hers.locator(f"#nav-{name}")).to_have_count(0)
    unclean = [line for line in unclean if "403" not in line]
    assert unclean == []

    page.locator("#user-disable").click()
    expect(page.locator("#users-told")).to_contain_text("is disabled")
    hers.goto("/")
    expect(hers).to_have_url(f"{served.url}/sign-in")
    context.close()


def test_the_last_administrator_is_not_disabled_by_a_click(page: Page, served: Served, people: None) -> None:
    page.goto("/users")
    enter(page, "ann")
    page.locator("#user-who input").click()
    page.get_by_role("option", name="ann").click()
    page.locator("#user-disable").click()
    expect(page.get_by_text("Wrong password").first).to_be_visible()
    page.locator("#user-again input").fill(PASSWORD)
    page.locator("#user-disable").click()
    expect(page.get_by_text("only active administrator")).to_be_visible()


def test_wrong_passwords_are_answered_and_then_slowed(page: Page, served: Served, people: None) -> None:
    page.goto("/runs?run=1")
    alert = page.get_by_role("alert")
    for _ in range(PAIR.free + 1):
        enter(page, "tom", "wrong password")
        expect(alert).to_have_text("Wrong name or password.")
        expect(page.get_by_label("Name")).to_have_value("tom")
        expect(page.get_by_label("Password")).to_be_focused()
    while "Too many failed attempts" not in alert.inner_text():  # Each costs more, up to a minute.
        enter(page, "tom", "wrong password")
    screenshot(page, "sign-in-slowed")
    accounts.set_password(served.studio, "tom", PASSWORD)
    enter(page, "tom")
    expect(page).to_have_url(f"{served.url}/runs?run=1")


@pytest.fixture
def page(context: BrowserContext, served: Served) -> Iterator[Page]:
    """A tab; the refusals of this file are answers, and no errors."""
    tab = context.new_page()
    unclean = watch(tab, served.url)
    yield tab
    tab.goto("about:blank")
    # Gradio prints the answer by which a stream is refused whose session has ended.
    assert [line for line in unclean if "status of 4" not in line and "console: Response" not in line] == []


def test_signing_out_ends_it_also_for_the_back_button_and_an_open_page(
    page: Page, served: Served, people: None
) -> None:
    page.goto("/data")
    enter(page, "tom")
    expect(page).to_have_url(f"{served.url}/data")
    page.locator(".gradio-container main").first.wait_for()
    expect(page.locator("#nav-users")).to_have_count(0)
    expect(page.locator("#nav-settings")).to_have_count(0)
    page.locator("#sign-out").click()
    expect(page).to_have_url(f"{served.url}/sign-in")
    page.go_back()
    expect(page.locator("#sign-in")).to_be_visible()
    enter(page, "tom")
    page.locator(".gradio-container main").first.wait_for()
    page.wait_for_load_state("load")
    expect(page.locator(".ts-table, .ts-empty").first).to_be_visible()  # All of it is loaded.
    accounts.set_password(served.studio, "tom", PASSWORD)  # Ends the session under an open page.
    expect(page.locator("#sign-in")).to_be_visible(timeout=20_000)


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("zh-CN", "dark"), ("en", "auto")])
def test_the_door_without_scripts_in_both_languages_and_colours(
    browser: Browser, served: Served, people: None, language: str, theme: str
) -> None:
    context = someone(browser, served, java_script_enabled=False, color_scheme="dark")
    choose(context, served.url, language=language, theme=theme)
    page = context.new_page()
    page.goto("/sign-in")
    word = {"en": "Sign in", "zh-CN": "登录"}[language]
    expect(page.get_by_role("heading", level=1)).to_have_text(word)
    expect(page.get_by_role("textbox").first).to_be_focused()
    expect(page.get_by_role("navigation").get_by_role("link")).to_have_count(2)
    screenshot(page, f"sign-in-{language}-{theme}")
    page.keyboard.type("ann")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#who")).to_have_text("ann")
    page.goto("/account")
    screenshot(page, f"account-{language}-{theme}")
    context.close()


def test_the_door_fits_a_telephone(browser: Browser, served: Served, people: None) -> None:
    context = someone(browser, served, viewport={"width": 320, "height": 640})
    page = context.new_page()
    page.goto("/sign-in")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    enter(page, "ann")
    page.locator(".gradio-container main").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    screenshot(page, "shell-narrow-signed-in")
    context.close()
