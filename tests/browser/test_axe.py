"""Nothing for axe-core to complain of, on any page and in any state: in both languages, light and dark.

And what axe does not ask: that every name says something, and in the reader's language.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from studio_core.base.studio import open_studio
from studio_core.people import accounts, first_address
from tests.browser.axe import told
from tests.browser.conftest import Served, choose, serving, visit
from tests.browser.furnished import SETTLED, furnish_all
from tests.people import PASSWORD, cheap_hashes

__all__ = ["cheap_hashes"]
pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]  # Forty pages, one after the other.

Addresses = dict[str, str]
LANGUAGES = {"en": "light", "zh-CN": "dark"}
"""With the theme in which a page is opened. Colours depend on no language: in English they are asked for in both."""
# Everything that is folded: its contents are part of the page.
UNFOLD = """() => {
	document.querySelectorAll("#ts-content details").forEach((one) => { one.open = true; });
	document.querySelectorAll("#ts-content .label-wrap:not(.open)").forEach((one) => one.click());
}"""


@pytest.fixture(scope="module")
def full(
    tmp_path_factory: pytest.TempPathFactory, quick: dict[str, str]
) -> Iterator[tuple[Served, Addresses]]:
    """A studio with something on every page, and the addresses."""
    home = tmp_path_factory.mktemp("studio") / "home"
    studio = open_studio(home=home)
    addresses = furnish_all(studio, tmp_path_factory.mktemp("files"))
    studio.close()
    with serving(home, **quick) as opened:
        yield opened, addresses


@pytest.fixture(scope="module")
def served(full: tuple[Served, Addresses]) -> Served:
    return full[0]


def places(addresses: dict[str, str]) -> dict[str, str]:
    """Every page, section and form by name."""
    dataset, project = addresses["Dataset"], addresses["Label, votes"]
    tabs = {f"Dataset, {tab}": f"{dataset}&tab={tab}" for tab in ("report", "improve", "export")}
    sections = ("history", "results", "disagreements", "rounds", "prompts", "judge", "settings")
    methods = {f"Train, {name}": f"/train?method={name}&tuning=lora" for name in ("dpo", "kto", "reward")}
    return {
        **addresses,
        **tabs,
        "Dataset, an operation": f"{dataset}&tab=improve&operation=filter",
        "Dataset, an edit": f"{dataset}&tab=improve&operation=edit&row=2",
        **{f"Label, {name}": f"{project}&section={name}" for name in sections},
        **methods,
        "Chat, one side": "/chat?models=tiny-chat",
        "Export": "/export?model=tiny-chat",
        "A model": "/models?model=tiny-chat",
        "Storage": "/storage",
        "Conversations": "/chats",
        "Notifications": "/notices",
        "A run to hand over": addresses["A run that was stopped"].replace("run=", "handover="),
        "Nothing there": "/dataset?id=999",
    }


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_is_clean(
    page: Page, context: BrowserContext, full: tuple[Served, Addresses], language: str
) -> None:
    opened, addresses = full
    found: dict[str, list[str]] = {}
    for name, address in places(addresses).items():
        choose(context, opened.url, language=language, theme=LANGUAGES[language])
        visit(page, address)
        page.locator("#ts-content h1").first.wait_for()
        page.evaluate(SETTLED)
        page.evaluate(UNFOLD)
        page.evaluate(SETTLED)
        found[name] = told(page, language == "en")
    assert {name: lines for name, lines in found.items() if lines} == {}


def open_list(page: Page, _: Addresses) -> None:
    visit(page, "/train")
    page.locator("#train-model input").click()
    page.get_by_role("option").first.wait_for()


def read_help(page: Page, _: Addresses) -> None:
    visit(page, "/train")
    page.locator(".ts-more").first.click()


def be_told(page: Page, _: Addresses) -> None:
    visit(page, "/models")
    page.locator("#models-add > .label-wrap, #models-add .label-wrap").first.click()
    page.locator("#model-source textarea, #model-source input").fill("/no/such/folder")
    page.locator("#model-add").click()
    page.get_by_test_id("toast-body").wait_for()


def understand(page: Page, _: Addresses) -> None:
    visit(page, "/data")
    page.locator("#data-way-paste-button").click()
    page.locator("#data-paste textarea").fill(
        '{"question": "1+1?", "answer": "2", "topic": "sums"}\n{"a": 1}'
    )
    page.locator("#data-paste-use").click()
    page.locator("#data-import").wait_for()


def check(page: Page, _: Addresses) -> None:
    visit(page, "/settings")
    page.locator("#check-now").click()
    page.locator("#check-result tbody tr").first.wait_for()


def turn_action(page: Page, addresses: Addresses, action: str) -> None:
    """The dialog of a conversation's turn."""
    visit(page, addresses["Chat, a conversation"])
    page.locator(f'[data-action="{action}"]').first.click()
    page.locator('dialog[open] [data-part="do"]').wait_for()


def correct(page: Page, addresses: Addresses) -> None:
    turn_action(page, addresses, "correct")


def send(page: Page, addresses: Addresses) -> None:
    turn_action(page, addresses, "send")


def enlarge(page: Page, addresses: Addresses) -> None:
    visit(page, addresses["A run"])
    page.locator("#run-chart-loss [data-tool=enlarge]").click()
    page.locator("dialog[open] .main-svg").first.wait_for()


STATES: list[Callable[[Page, Addresses], None]] = [
    open_list,
    read_help,
    be_told,
    understand,
    check,
    correct,
    send,
    enlarge,
]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reach", STATES, ids=lambda reach: reach.__name__)
def test_every_state_is_clean(
    page: Page,
    context: BrowserContext,
    full: tuple[Served, Addresses],
    reach: Callable[[Page, Addresses], None],
    language: str,
) -> None:
    opened, addresses = full
    choose(context, opened.url, language=language, theme=LANGUAGES[language])
    reach(page, addresses)
    page.evaluate(SETTLED)
    assert told(page, language == "en") == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_door_and_what_is_seen_of_it_within(
    browser: Any, tmp_path: Path, cheap_hashes: None, quick: dict[str, str], language: str
) -> None:
    """The page that asks for the token, an empty studio, then accounts: signing in, one's own, everybody's."""
    found: dict[str, list[str]] = {}
    with serving(tmp_path / "home", TUNESMITH_LOCAL_TOKEN="1", **quick) as opened:
        context = browser.new_context(base_url=opened.url, locale="en-US", reduced_motion="reduce")
        page = context.new_page()

        def look(name: str, address: str) -> None:
            choose(context, opened.url, language=language, theme=LANGUAGES[language])
            page.goto(address)
            page.locator("h1").first.wait_for()
            page.evaluate(SETTLED)
            found[name] = told(page)

        look("token", "/")
        look("a wrong token", "/?token=wrong")
        look("an empty studio", f"/?token={first_address.token(opened.studio.settings.home)}")
        accounts.add(opened.studio, "ann", "administrator", PASSWORD)
        look("signing in", "/sign-in")
        for password in ("wrong password", PASSWORD):
            page.locator("#sign-in-name").fill("ann")
            page.locator("#sign-in-password").fill(password)
            page.locator("#sign-in-go").click()
            if password != PASSWORD:
                page.locator("#sign-in-error").wait_for()
                found["a wrong password"] = told(page)
        page.locator("#who").wait_for()
        look("an account", "/account")
        look("everybody's accounts", "/users")
        context.close()
    assert {name: lines for name, lines in found.items() if lines} == {}
