"""What the tests of the Chat page do on it and look up behind it."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect
from sqlalchemy import select

from studio_core.base.tables import Chat, ChatRound, Vote
from studio_core.chat import chats
from studio_core.chat.chats import ChatSettings
from tests.browser.conftest import Served, visit

ENDED = re.compile("stop|length")
MODELS = "/chat?models=tiny-base,tiny-chat"
PLAIN = ChatSettings()


def open_chat(page: Page, path: str = MODELS) -> None:
    visit(page, path)
    expect(page.locator("#chat-models")).to_contain_text("tiny-chat")
    if "chat=" in path:
        # The models stand there before the rounds do; a test that changes the rounds behind
        # the page would else change what the page is still going to read.
        expect(page.locator("#chat-live .ts-round")).to_be_visible()


def set_number(page: Page, id: str, value: str) -> None:
    field = page.locator(f"#{id} input[type=number]")
    field.fill(value)
    field.blur()


def ask(page: Page, prompt: str) -> None:
    page.locator("#chat-prompt textarea").fill(prompt)
    page.keyboard.press("Enter")
    expect(page.locator("#chat-live .ts-prompt")).to_contain_text(prompt)
    for side in (0, 1):
        expect(page.locator(f"#chat-side-{side}")).to_have_attribute("data-state", ENDED, timeout=90_000)
    expect(page.locator("#chat-send")).to_be_visible()


def blur(page: Page) -> None:
    page.locator("#chat-prompt textarea").blur()


def turn(page: Page, number: int) -> Locator:
    return page.locator(f'.ts-round[data-round="{number}"]')


def rounds(served: Served, page: Page) -> list[ChatRound]:
    found = re.search(r"chat=(\d+)", page.url)
    assert found, page.url
    return list(chats.history(served.studio, int(found[1])))


def votes_on(served: Served, row: ChatRound) -> list[Vote]:
    with served.studio.db.read() as session:
        return list(session.scalars(select(Vote).where(Vote.round_id == row.id).order_by(Vote.id)))


def written(served: Served, *prompts: str, answers: tuple[str, ...] = ("one thing", "another thing"),
            settings: ChatSettings = PLAIN) -> Chat:  # fmt: skip
    """A conversation whose answers no model had to write."""
    models = ["tiny-base", "tiny-chat", "tiny-chat"][: len(answers)]
    chat = chats.start(served.studio, models, settings)
    for prompt in prompts:
        row = chats.add_round(served.studio, chat, prompt, settings)
        said = [{**a, "answer": text, "state": "stop", "tokens": 3, "seconds": 0.1}
                for a, text in zip(row.answers, answers, strict=True)]  # fmt: skip
        chats.save_answers(served.studio, row.id, said)  # type: ignore[arg-type]
    return chat
