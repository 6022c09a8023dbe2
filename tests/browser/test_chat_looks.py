"""What the Chat page shows: in both themes and languages, on wide and narrow screens, and text only ever as text."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from studio_core.base.tables import Chat
from studio_core.chat import chat_live, chat_votes, chats
from studio_core.chat.chats import ChatSettings
from tests.browser.chatting import blur, open_chat, written
from tests.browser.conftest import ROOT, Served, choose, screenshot

pytestmark = pytest.mark.browser

PICTURE = ROOT / "docs" / "images" / "side-by-side.png"


def test_what_models_and_people_write_stays_text(page: Page, served: Served) -> None:
    hostile = "<img src=x onerror=\"document.title='owned'\"><script>1</script> {{1+1}} ${1+1} **b** &amp;"
    studio = served.studio
    chat = chats.start(studio, ["tiny-base", "tiny-chat"], ChatSettings(system=hostile))
    row = chats.add_round(studio, chat, hostile, ChatSettings(system=hostile))
    answers = [{**a, "answer": hostile, "state": "stop", "tokens": 1} for a in row.answers]
    answers[1] |= {"state": "error", "error": hostile, "key": "chat.generation_failed",
                   "values": {"model": hostile, "reason": hostile}}  # fmt: skip
    chats.save_answers(studio, row.id, answers)  # type: ignore[arg-type]
    open_chat(page, f"/chat?chat={chat.id}")
    read = hostile.replace("**b**", "b").replace(
        "&amp;", "&"
    )  # As Markdown; what can be copied is as it was.
    expect(page.locator("#chat-side-0 .ts-text")).to_have_text(read)
    assert page.locator("#chat-side-0 .ts-raw").text_content() == hostile
    expect(page.locator("#chat-side-1 .ts-answer-note")).to_contain_text(hostile)
    assert page.locator("#chat-live img, #chat-live script, #chat-live b").count() == 0
    assert "owned" not in page.title()
    expect(page.locator("#chat-vote-a")).to_be_disabled()


def test_answers_are_read_as_markdown_and_copied_as_they_were_written(
    page: Page, context: BrowserContext, served: Served
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    text = (
        "## Sums\n\n**Two** and two:\n\n```python\nprint(2 + 2)\n```\n\n| a | b |\n|---|---|\n| $x^2$ | 4 |"
    )
    chat = written(served, "Show me", answers=(text, "- one\n- two"))
    open_chat(page, f"/chat?chat={chat.id}")
    answer = page.locator("#chat-side-0")
    expect(answer.locator("strong")).to_have_text("Two")
    expect(answer.locator("math")).to_be_visible()
    expect(page.locator("#chat-side-1 li")).to_have_count(2)
    screenshot(page, "chat-markdown")
    answer.get_by_role("button", name="Copy code").click()
    expect(answer.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "print(2 + 2)\n"
    answer.get_by_role("button", name="Copy: A").click()
    page.wait_for_function("async () => (await navigator.clipboard.readText()).startsWith('## Sums')")
    assert page.evaluate("navigator.clipboard.readText()") == text
    answer.get_by_role("button", name="Edit: A").click()
    expect(page.locator("dialog[open] textarea")).to_have_value(text)
    page.keyboard.press("Escape")
    blur(page)
    page.keyboard.press("d")
    expect(answer.locator("mark").first).to_be_visible()
    page.keyboard.press("d")
    expect(answer.locator("strong")).to_have_text("Two")


def test_words_that_differ_are_shown_on_demand(page: Page, served: Served) -> None:
    chat = written(served, "Which?", answers=("the green grass", "the red grass"))
    open_chat(page, f"/chat?chat={chat.id}")
    blur(page)
    page.keyboard.press("d")
    expect(page.locator("#chat-side-0 mark")).to_have_text("green")
    expect(page.locator("#chat-side-1 mark")).to_have_text("red")
    page.keyboard.press("d")
    expect(page.locator("#chat-live mark")).to_have_count(0)
    expect(page.locator("#chat-side-0 .ts-text")).to_have_text("the green grass")


def test_a_key_pressed_before_the_script_of_chat_is_there_is_not_lost(page: Page, served: Served) -> None:
    chat = written(served, "Which?", answers=("the green grass", "the red grass"))
    held: list[Route] = []
    page.route("**/chat_rounds.js*", lambda route: held.append(route))
    open_chat(page, f"/chat?chat={chat.id}")
    expect(page.locator("#chat-side-1 .ts-text")).to_have_text("the red grass")
    expect(page.locator(".ts-chat-main[data-ready]")).to_have_count(0)
    blur(page)
    page.keyboard.press("d")
    for route in held:
        route.continue_()
    expect(page.locator("#chat-side-0 mark")).to_have_text("green")


@pytest.fixture(scope="module")
def shown_chat(served: Served) -> Iterator[Chat]:
    """A conversation of two rounds, answered by the real models through the core, and judged."""
    settings = ChatSettings(temperature=0, max_tokens=64)
    chat = chats.start(served.studio, ["tiny-base", "tiny-chat"], settings)
    for prompt in ("Who are you?", "Who made you, and what can you do?"):
        chat_live.ask(served.studio, chat.id, prompt, settings).wait(120)
        number = chats.history(served.studio, chat.id)[-1].number
        chat_votes.vote(served.studio, chat.id, number, "b", 0, 1)
    yield chat


@pytest.mark.parametrize("width", [1280, 390], ids=["wide", "narrow"])
@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_looks(
    page: Page,
    context: BrowserContext,
    served: Served,
    shown_chat: Chat,
    theme: str,
    language: str,
    width: int,
) -> None:
    choose(context, served.url, language=language, theme=theme)
    page.set_viewport_size({"width": width, "height": 860})
    open_chat(page, f"/chat?chat={shown_chat.id}")
    expect(page.locator("#chat-side-1")).to_have_attribute("data-mark", "better")
    expect(page.locator("#chat-live .ts-voted")).to_contain_text(
        {"en": "Vote saved", "zh-CN": "已投票"}[language]
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing sticks out sideways"
    path = screenshot(page, f"chat-{theme}-{language}-{width}")
    if (theme, language, width) == ("light", "en", 1280) and os.environ.get("UPDATE_PICTURES"):
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, PICTURE)
