"""The Chat page as a person uses it: asking, watching, voting, coming back."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import select

from studio_core import chat_live, chats
from studio_core.chats import ChatSettings
from studio_core.tables import Chat, ChatRound, Model, Vote
from tests.browser.conftest import ROOT, Served, choose, screenshot, visit
from tests.conftest import wait_until

pytestmark = pytest.mark.browser

ENDED = re.compile("stop|length")
MODELS = "/chat?models=tiny-base,tiny-chat"
PICTURE = ROOT / "docs" / "images" / "side-by-side.png"


def open_chat(page: Page, path: str = MODELS) -> None:
    visit(page, path)
    expect(page.locator("#chat-models")).to_contain_text("tiny-chat")


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


def rounds(served: Served, page: Page) -> list[ChatRound]:
    found = re.search(r"chat=(\d+)", page.url)
    assert found, page.url
    return list(chats.history(served.studio, int(found[1])))


def blur(page: Page) -> None:
    page.locator("#chat-prompt textarea").blur()


def test_ask_vote_export_and_come_back(page: Page, served: Served) -> None:
    open_chat(page)
    set_number(page, "chat-temperature", "0")
    ask(page, "Who are you?")
    for side, name in enumerate(("tiny-base", "tiny-chat")):
        expect(page.locator(f"#chat-side-{side} .ts-name")).to_have_text(name)
        expect(page.locator(f"#chat-side-{side} footer")).to_contain_text("tokens/s")
    [row] = rounds(served, page)
    shown = page.locator("#chat-side-1 .ts-text").inner_text()
    assert row.answers[1]["answer"] == shown and row.settings["temperature"] == 0
    assert row.answers[0]["answer"] != shown

    blur(page)
    page.keyboard.press("2")
    expect(page.locator("#chat-vote-message")).to_contain_text("Saved as a preference record")
    expect(page.locator("#chat-side-1")).to_have_attribute("data-mark", "better")
    with served.studio.db.read() as session:
        [vote] = session.scalars(select(Vote).where(Vote.round_id == row.id)).all()
    assert (vote.verdict, vote.left, vote.right) == ("b", 0, 1)
    assert vote.record["chosen"] == [{"role": "assistant", "content": shown}]
    assert vote.record["prompt"] == [{"role": "user", "content": "Who are you?"}]

    ask(page, "Who made you?")
    assert len(rounds(served, page)) == 2
    expect(page.locator("#chat-history .ts-round")).to_have_count(1)
    page.reload()
    expect(page.locator("#chat-history")).to_contain_text(shown)
    expect(page.locator("#chat-live .ts-prompt")).to_contain_text("Who made you?")
    expect(page.locator("#chat-temperature input[type=number]")).to_have_value("0")
    expect(page.locator("#chat-earlier [aria-current]")).to_contain_text("Who are you?")

    with page.expect_download() as markdown:
        page.locator("#chat-export-md").click()
    text = Path(markdown.value.path()).read_text()
    assert shown in text and "Vote: tiny-chat is better" in text
    with page.expect_download() as jsonl:
        page.locator("#chat-export-jsonl").click()
    lines = [json.loads(line) for line in Path(jsonl.value.path()).read_text().splitlines()]
    assert [line["model"] for line in lines] == ["tiny-base", "tiny-chat"]
    assert lines[1]["messages"][1]["content"] == shown

    page.locator("#chat-collect").click()
    expect(page.locator("#chat-collected")).to_contain_text("chat-votes@1")
    expect(page.locator("#chat-collected a")).to_have_attribute(
        "href", "/train?method=dpo&dataset=chat-votes"
    )


def test_every_verdict_by_button_and_key_and_the_last_counts(page: Page, served: Served) -> None:
    open_chat(page)
    ask(page, "Who are you?")
    [row] = rounds(served, page)
    for button, mark in (("a", "better"), ("tie", "tie"), ("bad", "bad"), ("b", "worse")):
        page.locator(f"#chat-vote-{button}").click()
        expect(page.locator("#chat-side-0")).to_have_attribute("data-mark", mark)
    blur(page)
    for key, mark in (("1", "better"), ("3", "tie"), ("4", "bad"), ("2", "worse")):
        page.keyboard.press(key)
        expect(page.locator("#chat-side-0")).to_have_attribute("data-mark", mark)
    with served.studio.db.read() as session:
        cast = session.scalars(select(Vote).where(Vote.round_id == row.id).order_by(Vote.id)).all()
    assert [vote.verdict for vote in cast] == ["a", "tie", "both_bad", "b"] * 2
    assert [vote.superseded_by_id for vote in cast] == [vote.id for vote in cast[1:]] + [None]


def test_keys_do_not_vote_while_somebody_writes(page: Page, served: Served) -> None:
    open_chat(page)
    ask(page, "Who are you?")
    field = page.locator("#chat-prompt textarea")
    field.click()
    page.keyboard.type("12")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("34")
    expect(field).to_have_value("12\n34")
    blur(page)
    for key in ("Control+1", "Alt+2", "Meta+3", "5", "a"):
        page.keyboard.press(key)
    page.evaluate("""() => {
        const press = (more) => document.body.dispatchEvent(
            new KeyboardEvent("keydown", { key: "1", bubbles: true, ...more }));
        press({ repeat: true });
        press({ isComposing: true });
    }""")
    field.evaluate("""(box) => box.dispatchEvent(
        new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true, isComposing: true }))""")
    page.wait_for_timeout(500)  # Nothing is to happen, and that has no event to wait for.
    [row] = rounds(served, page)
    assert chats.votes(served.studio, row.chat_id) == {}
    expect(field).to_have_value("12\n34")


def test_blind_hides_names_until_the_vote(page: Page, served: Served) -> None:
    open_chat(page)
    page.locator("#chat-blind").get_by_role("checkbox").check()
    ask(page, "Who are you?")
    live = page.locator("#chat-live")
    expect(live.locator("[data-hidden]")).to_have_count(2)
    assert "tiny" not in live.inner_html()
    assert "tokens/s" not in live.inner_text()
    page.reload()
    expect(live.locator("[data-hidden]")).to_have_count(2)
    [row] = rounds(served, page)
    order = row.settings["order"]
    page.locator("#chat-vote-a").click()
    expect(page.locator("#chat-side-0")).to_have_attribute("data-mark", "better")
    expect(page.locator("#chat-side-0 .ts-name")).to_have_text(row.answers[order[0]]["name"])
    vote = chats.votes(served.studio, row.chat_id)[row.id]
    assert (vote.left, vote.right) == tuple(order) and vote.record["blind"]
    assert vote.record["chosen"][0]["content"] == row.answers[order[0]]["answer"]


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
    expect(page.locator("#chat-side-0 .ts-text")).to_have_text(hostile)
    expect(page.locator("#chat-side-1 .ts-answer-note")).to_contain_text(hostile)
    assert page.locator("#chat-live img, #chat-live script, #chat-live b").count() == 0
    assert "owned" not in page.title()
    page.locator("#chat-vote-a").is_disabled()


def test_a_closed_tab_loses_nothing_and_stop_stops(context: BrowserContext, served: Served) -> None:
    page = context.new_page()
    open_chat(page)
    set_number(page, "chat-temperature", "1.9")
    set_number(page, "chat-top-p", "1")
    set_number(page, "chat-length", "4096")
    page.locator("#chat-prompt textarea").fill("The river")
    page.locator("#chat-send").click()
    page.wait_for_url(re.compile(r"chat=\d+"))
    address = page.url
    [row] = rounds(served, page)
    page.close()

    def states() -> list[str]:
        return [answer["state"] for answer in chats.get_round(served.studio, row.id).answers]

    again = context.new_page()
    again.goto(address)
    # Either the answer is still coming in, and the page follows it, or it has ended meanwhile.
    expect(again.locator("#chat-side-0 .ts-text")).not_to_have_text("", timeout=90_000)
    if again.locator("#chat-stop").is_visible():
        again.locator("#chat-stop").click()
    expect(again.locator("#chat-send")).to_be_visible()
    wait_until(lambda: set(states()) <= {"stop", "length", "cancelled"}, what="the round is stored")
    stored = chats.get_round(served.studio, row.id)
    expect(again.locator("#chat-side-0")).to_have_attribute("data-state", stored.answers[0]["state"])
    again.close()


def test_errors_are_sentences(page: Page, served: Served) -> None:
    with served.studio.db.write() as session:
        gone = Model(name="gone-model", kind="base", path="/nowhere", parent_id=None, job_id=None)
        session.add(gone)
    try:
        open_chat(page, "/chat?models=gone-model,tiny-chat,never-heard-of")
        expect(page.get_by_text("never-heard-of")).to_be_visible()
        page.locator("#chat-prompt textarea").fill("   ")
        page.locator("#chat-send").click()
        expect(page.get_by_text("The prompt is empty.")).to_be_visible()
        page.locator("#chat-prompt textarea").fill("Who are you?")
        page.keyboard.press("Enter")
        expect(page.locator("#chat-side-0")).to_have_attribute("data-state", "error", timeout=90_000)
        expect(page.locator("#chat-side-0 .ts-answer-note")).to_contain_text("/nowhere")
        expect(page.locator("#chat-side-1")).to_have_attribute("data-state", ENDED, timeout=90_000)
        expect(page.locator("#chat-vote-a")).to_be_disabled()
    finally:
        with served.studio.db.write() as session:
            session.get_one(Model, gone.id).path = str(ROOT / "static" / "models" / "tiny-chat")
    visit(page, "/chat?chat=99999")
    expect(page.get_by_text("There is no conversation 99999")).to_be_visible()


def test_three_models_are_judged_in_pairs(page: Page, served: Served) -> None:
    chat = chats.start(served.studio, ["tiny-base", "tiny-chat", "tiny-chat"], ChatSettings())
    row = chats.add_round(served.studio, chat, "Who?", ChatSettings())
    answers = [{**a, "answer": f"answer {n}", "state": "stop"} for n, a in enumerate(row.answers)]
    chats.save_answers(served.studio, row.id, answers)  # type: ignore[arg-type]
    open_chat(page, f"/chat?chat={chat.id}")
    page.locator("#chat-pair").get_by_text("A – C").click()
    expect(page.locator("#chat-vote-b")).to_contain_text("C is better")
    page.locator("#chat-vote-b").click()
    expect(page.locator("#chat-side-2")).to_have_attribute("data-mark", "better")
    vote = chats.votes(served.studio, chat.id)[row.id]
    assert (vote.verdict, vote.left, vote.right) == ("b", 0, 2)
    assert vote.record["chosen"][0]["content"] == "answer 2"


@pytest.fixture(scope="module")
def shown_chat(served: Served) -> Iterator[Chat]:
    """A conversation of two rounds, answered by the real models through the core, and judged."""
    settings = ChatSettings(temperature=0, max_new_tokens=64)
    chat = chats.start(served.studio, ["tiny-base", "tiny-chat"], settings)
    for prompt in ("Who are you?", "Who made you, and what can you do?"):
        chat_live.ask(served.studio, chat.id, prompt, settings).wait(120)
        chats.vote(served.studio, chats.history(served.studio, chat.id)[-1].id, "b", 0, 1)
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
    expect(page.locator("#chat-vote-tie")).to_contain_text(
        {"en": "Equally good", "zh-CN": "一样好"}[language]
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing sticks out sideways"
    path = screenshot(page, f"chat-{theme}-{language}-{width}")
    if (theme, language, width) == ("light", "en", 1280) and os.environ.get("UPDATE_PICTURES"):
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, PICTURE)
