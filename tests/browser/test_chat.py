"""The Chat page as a person uses it: asking, watching, voting, coming back."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect
from sqlalchemy import select

from studio_core import chat_live, chat_votes, chats, services
from studio_core.chats import ChatSettings
from studio_core.labeling import items, projects
from studio_core.labeling import votes as label_votes
from studio_core.tables import Chat, ChatRound, Model, Vote
from tests.browser.conftest import ROOT, Served, choose, screenshot, visit
from tests.conftest import wait_until
from tests.fake_service import fake_service

pytestmark = pytest.mark.browser

ENDED = re.compile("stop|length")
MODELS = "/chat?models=tiny-base,tiny-chat"
PLAIN = ChatSettings()
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


def turn(page: Page, number: int) -> Locator:
    return page.locator(f'.ts-round[data-round="{number}"]')


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
    answers: list[chats.Answer] = chats.get_round(served.studio, row.id).answers
    answers[1] = {**answers[1], "answer": "Another one.", "state": "stop"}
    chats.save_answers(served.studio, row.id, answers)
    page.locator("#chat-vote-b").click()
    expect(page.locator(".ts-round-said")).to_contain_text("asked again meanwhile")
    expect(page.locator("#chat-side-1")).to_contain_text("Another one.")
    assert not votes_on(served, row)
    page.locator("#chat-vote-b").click()
    expect(page.locator("#chat-side-1")).to_have_attribute("data-mark", "better")
    other.locator("#chat-vote-a").click()
    expect(other.locator(".ts-round-said")).to_contain_text(re.compile("has a vote|asked again"))
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
    expect(page.locator(".ts-round-said")).to_contain_text("The studio cannot be reached.")
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
    assert votes_on(served, row) == []
    expect(field).to_have_value("12\n34")


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
    expect(page.locator(".ts-voted")).to_contain_text("gave its model away")
    [row] = rounds(served, page)
    assert votes_on(served, row)[0].record["leak"]
    page.locator("#chat-collect").click()
    expect(page.locator("#chat-collected")).to_contain_text("1 where an answer gave its model away")


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


def test_one_side_is_asked_again_and_an_older_turn_in_a_new_chat(page: Page, served: Served) -> None:
    chat = written(served, "The river", "Where does it go?")
    open_chat(page, f"/chat?chat={chat.id}")
    page.locator('#chat-side-1 [data-action="again"]').click()
    expect(page.locator("#chat-side-1 .ts-before")).to_contain_text("Earlier answers: 1", timeout=90_000)
    expect(page.locator("#chat-side-1")).to_have_attribute("data-state", ENDED, timeout=90_000)
    expect(page.locator("#chat-side-1 footer")).to_contain_text("seed 1")
    expect(page.locator("#chat-side-0 .ts-text")).to_have_text("one thing")
    row = chats.history(served.studio, chat.id)[-1]
    wait_until(lambda: chats.get_round(served.studio, row.id).answers[1]["state"] != "streaming")
    again = chats.get_round(served.studio, row.id).answers[1]
    assert again["seed"] == 1 and again["earlier"][0]["answer"] == "another thing"
    turn(page, 1).get_by_role("button", name="Ask again in a new chat").click()
    page.wait_for_url(lambda address: f"chat={chat.id}" not in address)
    expect(page.locator("#chat-side-1")).to_have_attribute("data-state", ENDED, timeout=90_000)
    [new] = rounds(served, page)
    assert (new.prompt, new.settings["seed"], new.number) == ("The river", 1, 1)
    assert len(chats.history(served.studio, chat.id)) == 2


def test_a_changed_prompt_forks_and_shares_what_was_before(page: Page, served: Served) -> None:
    chat = written(served, "The river", "Where does it go?")
    open_chat(page, f"/chat?chat={chat.id}")
    turn(page, 2).get_by_role("button", name="Change prompt").click()
    field = page.locator("#chat-dialog textarea")
    expect(field).to_have_value("Where does it go?")
    field.fill("Where does it begin?")
    page.keyboard.press("Escape")
    turn(page, 2).get_by_role("button", name="Change prompt").click()
    expect(field).to_have_value("Where does it begin?")  # Nothing is lost by one stray key.
    page.locator('#chat-dialog [data-part="do"]').click()
    page.wait_for_url(lambda address: f"chat={chat.id}" not in address)
    expect(page.locator("#chat-live .ts-prompt")).to_contain_text("Where does it begin?")
    expect(page.locator("#chat-history")).to_contain_text("The river")
    expect(page.locator("#chat-history .ts-fork a")).to_have_attribute("href", f"/chat?chat={chat.id}")
    expect(page.locator("#chat-side-1")).to_have_attribute("data-state", ENDED, timeout=90_000)


def test_corrections_and_turns_arrive_in_a_project(page: Page, served: Served) -> None:
    chat = written(served, "What is green?", "And red?")
    open_chat(page, f"/chat?chat={chat.id}")
    turn(page, 1).locator('[data-action="correct"]').nth(1).click()
    page.locator("#chat-dialog textarea").fill("Grass is.")
    page.locator("#chat-dialog input").fill("my-corrections")
    page.keyboard.press("Enter")
    said = turn(page, 1).locator(".ts-round-said")
    expect(said).to_contain_text("my-corrections")
    page.locator("#chat-vote-a").click()
    expect(page.locator("#chat-side-0")).to_have_attribute("data-mark", "better")
    turn(page, 2).locator('[data-action="send"]').click()
    expect(page.locator("#chat-dialog input")).to_have_value("my-corrections")
    page.locator('#chat-dialog [data-part="do"]').click()
    expect(page.locator("#chat-vote-message")).to_contain_text("Sent with your vote")
    project = projects.get(served.studio, "my-corrections")
    pair, turned = items.page(served.studio, project.id)
    assert [(a["text"], a["origin"]) for a in pair.answers] == [
        ("another thing", "model"), ("Grass is.", "human_edit")
    ]  # fmt: skip
    assert [a["text"] for a in turned.answers] == ["one thing", "another thing"]
    verdicts = [vote.verdict for vote in label_votes.standing(served.studio, project.id)]
    assert verdicts == ["b", "a"]
    said.get_by_role("link").click()
    page.wait_for_url(re.compile(f"/label.project={project.id}"))
    visit(page, f"/chat?chat={chat.id}")
    page.locator('[data-action="undo"]').click()
    expect(page.locator("#chat-vote-a")).to_be_enabled()
    assert len(label_votes.standing(served.studio, project.id)) == 1, "its vote there is taken back too"


def test_a_service_answers_beside_a_model(page: Page, served: Served) -> None:
    with fake_service() as service:
        services.add(served.studio.settings.home / services.FILE, "near", service.address, "gpt-x")
        open_chat(page, "/chat?models=tiny-chat,service:near")
        expect(page.locator("#chat-models")).to_contain_text("near (gpt-x)")
        ask(page, "Say this")
        expect(page.locator("#chat-side-1 .ts-text")).to_have_text("echo Say this")
        expect(page.locator("#chat-side-1 .ts-name")).to_have_text("near")
        page.reload()
        expect(page.locator("#chat-models")).to_contain_text("near (gpt-x)")
        page.locator("#chat-vote-b").click()
        expect(page.locator("#chat-side-1")).to_have_attribute("data-mark", "better")
    services.remove(served.studio.settings.home / services.FILE, "near")


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


def ask_and_stop(page: Page, prompt: str, place: int) -> None:
    """Ask, and stop one side with its first word."""
    page.locator("#chat-prompt textarea").fill(prompt)
    page.keyboard.press("Enter")
    page.wait_for_function(
        """(place) => {
            const side = document.querySelector(`#chat-side-${place}`);
            if (!side || !side.querySelector(".ts-text").textContent.trim()) return false;
            side.querySelector('[data-action="stop"]')?.click();
            return true;
        }""",
        arg=place,
        timeout=90_000,
    )
    expect(page.locator(f"#chat-side-{place}")).not_to_have_attribute("data-state", "streaming")


def test_one_side_is_stopped_alone_and_an_early_vote_is_flagged(page: Page, served: Served) -> None:
    open_chat(page)
    set_number(page, "chat-temperature", "1.9")
    set_number(page, "chat-top-p", "1")
    set_number(page, "chat-length", "4096")
    for _ in range(5):  # An answer may happen to end before it is stopped.
        ask_and_stop(page, "The river", place=0)
        if page.locator("#chat-side-0").get_attribute("data-state") == "cancelled":
            break
        page.locator("#chat-new").click()
        expect(page.locator(".ts-round")).to_have_count(0)
    expect(page.locator("#chat-side-1")).not_to_have_attribute("data-state", "cancelled")
    expect(page.locator("#chat-side-1 .ts-text")).not_to_have_text("", timeout=90_000)
    page.locator("#chat-vote-b").click()
    expect(page.locator("#chat-vote-message")).to_contain_text("marked as early")
    expect(page.locator(".ts-voted")).to_contain_text("early")
    if page.locator("#chat-stop").is_visible():
        page.locator("#chat-stop").click()
    expect(page.locator("#chat-send")).to_be_visible()
    [row] = rounds(served, page)
    [vote] = votes_on(served, row)
    assert vote.record["incomplete"]


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


@pytest.fixture(scope="module")
def shown_chat(served: Served) -> Iterator[Chat]:
    """A conversation of two rounds, answered by the real models through the core, and judged."""
    settings = ChatSettings(temperature=0, max_new_tokens=64)
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
        {"en": "Your vote is in", "zh-CN": "已投票"}[language]
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing sticks out sideways"
    path = screenshot(page, f"chat-{theme}-{language}-{width}")
    if (theme, language, width) == ("light", "en", 1280) and os.environ.get("UPDATE_PICTURES"):
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, PICTURE)
