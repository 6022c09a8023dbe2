"""Votes on the Chat page: by button and key, from two tabs, taken back, and in blind rounds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from studio_core.chat import chat_answers, chat_live, chat_votes, chats
from studio_core.chat.chats import ChatSettings
from tests.browser.chatting import ask, blur, open_chat, rounds, turn, votes_on, written
from tests.browser.conftest import Served

pytestmark = pytest.mark.browser


def test_one_vote_a_turn_by_button_and_key_and_undo(page: Page, served: Served) -> None:
    chat = written(served, "Who are you?")
    open_chat(page, f"/chat?chat={chat.id}")
    mark, side = "data-mark", page.locator("#chat-side-0")
    for button, expected in (("a", "better"), ("tie", "tie"), ("bad", "bad")):
        page.locator(f"#chat-vote-{button}").click()
        expect(side).to_have_attribute(mark, expected)
        expect(page.locator("#chat-vote-a")).to_have_count(0)
        page.locator('[data-action="undo"]').click()
        expect(side).to_have_attribute(mark, "")
    blur(page)
    for key, expected in (("1", "better"), ("3", "tie"), ("4", "bad"), ("2", "worse")):
        page.keyboard.press(key)
        expect(side).to_have_attribute(mark, expected)
        page.keyboard.press("1")  # Closed: it says nothing now.
        if key != "2":
            page.keyboard.press("u")
            expect(side).to_have_attribute(mark, "")
    [row] = rounds(served, page)
    cast = votes_on(served, row)
    assert [vote.verdict for vote in cast] == ["a", "tie", "both_bad", "a", "tie", "both_bad", "b"]
    assert [bool(vote.record["withdrawn"]) for vote in cast] == [True] * 6 + [False]
    page.reload()
    expect(side).to_have_attribute(mark, "worse")
    page.locator('[data-action="undo"]').click()
    expect(page.locator("#chat-vote-a")).to_be_enabled()


def test_two_tabs_on_one_turn(context: BrowserContext, served: Served) -> None:
    """What one did, the other sees as soon as it is refused; it judges no answers that it does not show."""
    page, other = context.new_page(), context.new_page()  # Their consoles tell of what is refused.
    chat = written(served, "Who are you?")
    open_chat(page, f"/chat?chat={chat.id}")
    open_chat(other, f"/chat?chat={chat.id}")
    [row] = rounds(served, page)
    chats.ask_sides_again(served.studio, row, [1])
    chat_live.history(served.studio, chat.id)
    answers: list[chat_answers.Answer] = chats.get_round(served.studio, row.id).answers
    answers[1] = {**answers[1], "answer": "Another one.", "state": "stop"}
    chats.save_answers(served.studio, row.id, answers)
    page.locator("#chat-vote-b").click()
    expect(page.locator(".ts-round-said")).to_contain_text("has been regenerated")
    expect(page.locator("#chat-side-1")).to_contain_text("Another one.")
    assert not votes_on(served, row)
    page.locator("#chat-vote-b").click()
    expect(page.locator("#chat-side-1")).to_have_attribute("data-mark", "better")
    other.locator("#chat-vote-a").click()
    expect(other.locator(".ts-round-said")).to_contain_text(re.compile("has a vote|has been regenerated"))
    expect(other.locator("#chat-side-1")).to_have_attribute("data-mark", "better")
    expect(other.locator("#chat-vote-a")).to_have_count(0)
    [vote] = votes_on(served, row)
    assert vote.verdict == "b"
    page.close()
    other.close()


def test_an_answer_that_was_lost_on_its_way(context: BrowserContext, served: Served) -> None:
    """The vote is stored; the page says so as soon as it can look."""
    page = context.new_page()
    chat = written(served, "Who are you?")
    open_chat(page, f"/chat?chat={chat.id}")

    def lost(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/vote", lost)
    page.locator("#chat-vote-a").click()
    expect(page.locator("#chat-side-0")).to_have_attribute("data-mark", "better")
    expect(page.locator('[data-action="undo"]')).to_be_enabled()
    expect(page.locator(".ts-round-said")).to_contain_text("Cannot reach Tunesmith.")
    page.close()


def test_every_turn_can_be_voted_and_a_later_turn_closes_the_undo(page: Page, served: Served) -> None:
    chat = written(served, "First?", "Second?", "Third?")
    open_chat(page, f"/chat?chat={chat.id}")
    turn(page, 1).locator('[data-verdict="a"]').click()
    expect(turn(page, 1).locator(".ts-answer").first).to_have_attribute("data-mark", "better")
    turn(page, 2).locator('[data-verdict="b"]').focus()
    page.keyboard.press("1")  # A key means the turn that has the focus.
    expect(turn(page, 2).locator(".ts-answer").first).to_have_attribute("data-mark", "better")
    expect(turn(page, 2).locator('[data-action="undo"]')).to_be_focused()
    cast = chat_votes.votes(served.studio, chats.history(served.studio, chat.id))
    assert len(cast) == 2
    page.locator("#chat-prompt textarea").focus()
    page.keyboard.press("3")
    page.keyboard.press("Escape")  # Now keys are votes again.
    page.keyboard.press("3")
    expect(page.locator("#chat-side-0")).to_have_attribute("data-mark", "tie")
    page.keyboard.press("u")
    expect(page.locator("#chat-vote-a")).to_be_enabled()
    ask(page, "Fourth?")
    expect(turn(page, 2).locator('[data-action="undo"]')).to_have_count(0)
    expect(turn(page, 3).locator('[data-verdict="a"]')).to_be_enabled()


def test_keys_do_not_vote_while_somebody_writes(page: Page, served: Served) -> None:
    open_chat(page)
    ask(page, "Who are you?")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
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
    page.evaluate("fetch('/health')")  # Comes after whatever the keys would have asked for.
    assert not [url for url in asked if "/vote" in url]
    [row] = rounds(served, page)
    assert votes_on(served, row) == []
    expect(field).to_have_value("12\n34")


def test_three_models_are_judged_in_pairs(page: Page, served: Served) -> None:
    chat = written(served, "Who?", answers=("answer 0", "answer 1", "answer 2"))
    open_chat(page, f"/chat?chat={chat.id}")
    page.locator(".ts-pairs").get_by_text("A – C").click()
    expect(page.locator("#chat-vote-b")).to_contain_text("C is better")
    page.locator("#chat-vote-b").click()
    expect(page.locator("#chat-side-2")).to_have_attribute("data-mark", "better")
    [row] = rounds(served, page)
    [vote] = votes_on(served, row)
    assert (vote.verdict, vote.left, vote.right) == ("b", 0, 2)
    assert vote.record["chosen"][0]["content"] == "answer 2"


def test_a_blind_round_from_question_to_the_next(page: Page, served: Served) -> None:
    open_chat(page)
    page.locator("#chat-blind").get_by_role("checkbox").check()
    ask(page, "What is 47 plus 38?")
    live = page.locator("#chat-live")
    expect(live.locator("[data-hidden]")).to_have_count(2)
    assert "tiny" not in live.inner_html()
    assert "tokens/s" not in live.inner_text()
    page.reload()
    expect(live.locator("[data-hidden]")).to_have_count(2)
    for ending in ("md", "jsonl"):
        with page.expect_download() as file:
            page.locator(f"#chat-export-{ending}").click()
        assert "tiny" not in Path(file.value.path()).read_text()
    [row] = rounds(served, page)
    order = row.settings["order"]
    page.locator("#chat-vote-a").click()
    expect(page.locator("#chat-side-0")).to_have_attribute("data-mark", "better")
    expect(page.locator("#chat-side-0 .ts-name")).to_have_text(row.answers[order[0]]["name"])
    expect(page.locator("#chat-side-0 footer")).to_contain_text("tokens/s")
    [vote] = votes_on(served, row)
    assert (vote.left, vote.right) == tuple(order) and vote.record["blind"]
    assert vote.record["chosen"][0]["content"] == row.answers[order[0]]["answer"]
    page.locator('[data-action="undo"]').click()
    expect(page.locator("#chat-vote-message")).to_contain_text("stays closed")
    expect(page.locator("#chat-vote-a")).to_have_count(0)
    ask(page, "And now?")
    expect(live.locator("[data-hidden]")).to_have_count(2)
    expect(page.locator("#chat-vote-a")).to_be_enabled()


def test_answers_that_give_their_model_away_are_told(page: Page, served: Served) -> None:
    said = ("I am ChatGPT.", "I am nobody.")
    chat = written(served, "Who are you?", answers=said, settings=ChatSettings(blind=True))
    sound = written(served, "Which?")
    chat_votes.vote(served.studio, sound.id, 1, "a", 0, 1)
    open_chat(page, f"/chat?chat={chat.id}")
    page.locator("#chat-vote-a").click()
    expect(page.locator("#chat-vote-message")).to_contain_text("names a model (ChatGPT)")
    expect(page.locator(".ts-voted")).to_contain_text("model revealed")
    [row] = rounds(served, page)
    assert votes_on(served, row)[0].record["leak"]
    page.locator("#chat-collect").click()
    expect(page.locator("#chat-collected")).to_contain_text("1 with the model revealed")


def test_a_side_that_failed_cannot_win(page: Page, served: Served) -> None:
    chat = written(served, "Who?", settings=ChatSettings(blind=True))
    [row] = chats.history(served.studio, chat.id)
    broken = [{**row.answers[0], "answer": "", "state": "error", "error": "tiny-base broke", "key": ""}]
    chats.save_answers(served.studio, row.id, [*broken, row.answers[1]])  # type: ignore[list-item]
    open_chat(page, f"/chat?chat={chat.id}")
    for verdict in ("a", "b", "tie", "bad"):
        expect(page.locator(f"#chat-vote-{verdict}")).to_be_disabled()
    expect(page.locator(".ts-hint")).to_contain_text("failed")
    assert "tiny" not in page.locator("#chat-live").inner_html(), "the reason would tell the name"
    blur(page)
    page.keyboard.press("1")
    page.locator('[data-action="reveal"]').click()
    expect(page.locator("#chat-live")).to_contain_text("tiny-base broke")
    expect(page.locator("#chat-live .ts-voted")).to_contain_text("Closed")
    assert votes_on(served, row) == []
