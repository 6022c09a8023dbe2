"""The Chat page as a person uses it: asking, watching, stopping, asking again, coming back."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from studio_core.base.tables import Model
from studio_core.chat import chats
from studio_core.generation import services
from studio_core.labeling import items, projects
from studio_core.labeling import votes as label_votes
from tests.browser.chatting import ENDED, ask, blur, open_chat, rounds, set_number, turn, votes_on, written
from tests.browser.conftest import ROOT, Served, visit
from tests.conftest import wait_until
from tests.fake_service import fake_service

pytestmark = pytest.mark.browser


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
    expect(page.locator("#chat-vote-message")).to_contain_text("Saved as a preference pair")
    expect(page.locator("#chat-side-1")).to_have_attribute("data-mark", "better")
    [vote] = votes_on(served, row)
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


def test_one_side_is_asked_again_and_an_older_turn_in_a_new_chat(page: Page, served: Served) -> None:
    chat = written(served, "The river", "Where does it go?")
    open_chat(page, f"/chat?chat={chat.id}")
    page.locator('#chat-side-1 [data-action="again"]').click()
    expect(page.locator("#chat-side-1 .ts-before")).to_contain_text("Previous answers: 1", timeout=90_000)
    expect(page.locator("#chat-side-1")).to_have_attribute("data-state", ENDED, timeout=90_000)
    expect(page.locator("#chat-side-1 footer")).to_contain_text("seed 1")
    expect(page.locator("#chat-side-0 .ts-text")).to_have_text("one thing")
    row = chats.history(served.studio, chat.id)[-1]
    wait_until(lambda: chats.get_round(served.studio, row.id).answers[1]["state"] != "streaming")
    again = chats.get_round(served.studio, row.id).answers[1]
    assert again["seed"] == 1 and again["earlier"][0]["answer"] == "another thing"
    turn(page, 1).get_by_role("button", name="Regenerate in a new chat").click()
    page.wait_for_url(lambda address: f"chat={chat.id}" not in address)
    expect(page.locator("#chat-side-1")).to_have_attribute("data-state", ENDED, timeout=90_000)
    [new] = rounds(served, page)
    assert (new.prompt, new.settings["seed"], new.number) == ("The river", 1, 1)
    assert len(chats.history(served.studio, chat.id)) == 2


def test_a_changed_prompt_forks_and_shares_what_was_before(page: Page, served: Served) -> None:
    chat = written(served, "The river", "Where does it go?")
    open_chat(page, f"/chat?chat={chat.id}")
    turn(page, 2).get_by_role("button", name="Edit prompt").click()
    field = page.locator("#chat-dialog textarea")
    expect(field).to_have_value("Where does it go?")
    field.fill("Where does it begin?")
    page.keyboard.press("Escape")
    turn(page, 2).get_by_role("button", name="Edit prompt").click()
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


ENDLESS = " ".join(["the"] * 60)
"""To which the base model's likeliest answer has no end."""


def test_one_side_is_stopped_alone_and_an_early_vote_is_flagged(page: Page, served: Served) -> None:
    open_chat(page)
    set_number(page, "chat-temperature", "0")
    set_number(page, "chat-max-tokens", "4096")
    ask_and_stop(page, ENDLESS, place=0)
    expect(page.locator("#chat-side-0")).to_have_attribute("data-state", "cancelled")
    expect(page.locator("#chat-side-1")).not_to_have_attribute("data-state", "cancelled")
    expect(page.locator("#chat-side-1 .ts-text")).not_to_have_text("", timeout=90_000)
    page.locator("#chat-vote-b").click()
    expect(page.locator("#chat-vote-message")).to_contain_text("early vote")
    expect(page.locator(".ts-voted")).to_contain_text("early")
    stop_if_under_way(page)
    expect(page.locator("#chat-send")).to_be_visible()
    [row] = rounds(served, page)
    [vote] = votes_on(served, row)
    assert vote.record["incomplete"]


def stop_if_under_way(page: Page) -> None:
    """At once: an answer that ends while one looks takes its button with it."""
    page.locator("#chat-stop").evaluate("button => button.checkVisibility() && button.click()")


def test_a_closed_tab_loses_nothing_and_stop_stops(context: BrowserContext, served: Served) -> None:
    page = context.new_page()
    open_chat(page)
    set_number(page, "chat-temperature", "1.9")
    set_number(page, "chat-top-p", "1")
    set_number(page, "chat-max-tokens", "4096")
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
    stop_if_under_way(again)
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
