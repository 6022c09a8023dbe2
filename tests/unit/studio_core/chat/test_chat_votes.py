"""Votes on rounds: what is kept of them, when they are closed, what is trained on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from studio_core.base.errors import BadInput, Conflict
from studio_core.base.studio import Studio
from studio_core.base.tables import Chat, ChatRound, Vote
from studio_core.chat import chat_answers, chat_exports, chat_labels, chat_live, chat_votes, chats
from studio_core.chat.chats import ChatSettings
from studio_core.data import store
from studio_core.models import registry
from tests.unit.studio_core.chat.talking import PLAIN, answered, done

BLIND = ChatSettings(blind=True)


@pytest.fixture
def chat(studio: Studio) -> Chat:
    registry.ensure_demo_models(studio)
    return chats.start(studio, ["tiny-base", "tiny-chat"], PLAIN)


def cast(studio: Studio, row: ChatRound, verdict: str = "a", left: int = 0, right: int = 1) -> Vote:
    return chat_votes.vote(studio, row.chat_id, row.number, verdict, left, right, "anna")


def how(studio: Studio, row: ChatRound) -> chat_votes.Standing:
    return chat_votes.standing(studio, row.chat_id)[row.id]


def test_a_vote_is_a_preference_record_that_says_all(studio: Studio, chat: Chat) -> None:
    row = answered(studio, chat, "Who?", "good", "bad")
    vote = cast(studio, row)
    user, assistant = {"role": "user", "content": "Who?"}, "assistant"
    assert chat_votes.preference_records(studio) == [
        {
            "prompt": [user],
            "chosen": [{"role": assistant, "content": "good"}],
            "rejected": [{"role": assistant, "content": "bad"}],
        }
    ]
    kept = {name: vote.record[name] for name in ("models", "blind", "incomplete", "leak", "withdrawn")}
    assert kept == {
        "models": chat.models, "blind": False, "incomplete": False, "leak": False, "withdrawn": False
    }  # fmt: skip
    assert vote.record["annotator"] == "anna"


def test_what_is_said_of_answers_that_are_others_by_now_is_refused(studio: Studio, chat: Chat) -> None:
    """One tab shows answers that were asked for again in another."""
    row = answered(studio, chat, "Who?", "x", "y")
    seen = chat_answers.attempt(row.answers)
    chats.ask_sides_again(studio, row, [1])
    row = chats.get_round(studio, row.id)
    answers: Any = [row.answers[0], {**row.answers[1], **done("z")}]
    chats.save_answers(studio, row.id, answers)
    said = (studio, chat.id, 1)
    with pytest.raises(Conflict, match="has been regenerated"):
        chat_votes.vote(*said, "a", 0, 1, "anna", seen)
    with pytest.raises(Conflict, match="has been regenerated"):
        chat_labels.correct(*said, 1, "better than y", "anna", seen=seen)
    with pytest.raises(Conflict, match="has been regenerated"):
        chat_labels.send(*said, 0, 1, "anna", seen=seen)
    chat_votes.vote(*said, "b", 0, 1, "anna", seen + 1)
    with pytest.raises(Conflict, match="already has a vote"):
        chats.ask_sides_again(studio, row, [0])
    chat_votes.withdraw(*said)
    chats.ask_sides_again(studio, row, [0])


def test_one_vote_a_round_and_undo_until_the_next_round(studio: Studio, chat: Chat) -> None:
    row = answered(studio, chat, "Who?", "x", "y")
    first = cast(studio, row)
    with pytest.raises(Conflict, match="already has a vote"):
        cast(studio, row, "b")
    assert how(studio, row).undoable and not how(studio, row).open
    chat_votes.withdraw(studio, chat.id, row.number)
    assert chat_votes.preference_records(studio) == [] and how(studio, row).open
    with pytest.raises(Conflict, match="no vote"):
        chat_votes.withdraw(studio, chat.id, row.number)
    second = cast(studio, row, "b")
    assert chat_votes.preference_records(studio)[0]["chosen"][0]["content"] == "y"
    with studio.db.read() as session:
        old = session.get_one(Vote, first.id)
    assert old.superseded_by_id == second.id and old.record["withdrawn"], "nothing is deleted"
    answered(studio, chat, "And?", "x", "y")
    assert not how(studio, row).undoable
    with pytest.raises(Conflict, match="next turn has started"):
        chat_votes.withdraw(studio, chat.id, row.number)


def test_an_older_round_can_be_voted_and_the_vote_taken_back(studio: Studio, chat: Chat) -> None:
    older = answered(studio, chat, "One?", "a1", "b1")
    answered(studio, chat, "Two?", "a2", "b2")
    assert how(studio, older).open and not how(studio, older).fresh
    cast(studio, older)
    assert how(studio, older).undoable
    chat_votes.withdraw(studio, chat.id, 1)
    assert how(studio, older).open


def test_left_and_right_are_the_sides_that_were_shown(studio: Studio, chat: Chat) -> None:
    row = answered(studio, chat, "Who?", "zero", "one")
    cast(studio, row, "a", 1, 0)
    assert chat_votes.preference_records(studio)[0]["chosen"][0]["content"] == "one"


@pytest.mark.parametrize(
    ("texts", "state"), [(("", "y"), "stop"), (("x", " \n"), "stop"), (("x", "y"), "error")]
)
def test_an_answer_that_failed_or_is_empty_cannot_be_judged(
    studio: Studio, chat: Chat, texts: tuple[str, str], state: str
) -> None:
    row = answered(studio, chat, "Who?", *texts, state=state)
    for verdict in chat_votes.VERDICTS:
        with pytest.raises(BadInput, match="failed or is empty"):
            cast(studio, row, verdict)
    assert chat_votes.votes(studio, [row]) == {}


@pytest.mark.parametrize(("verdict", "left", "right"), [("c", 0, 1), ("a", 0, 0), ("a", 0, 2), ("a", -1, 0)])
def test_votes_that_make_no_sense_are_refused(
    studio: Studio, chat: Chat, verdict: str, left: int, right: int
) -> None:
    row = answered(studio, chat, "Who?", "x", "y")
    with pytest.raises(BadInput):
        cast(studio, row, verdict, left, right)
    assert chat_votes.votes(studio, [row]) == {}


@pytest.mark.parametrize("state", ["streaming", "cancelled", "interrupted"])
def test_a_vote_before_the_end_is_kept_and_not_trained_on(studio: Studio, chat: Chat, state: str) -> None:
    assert cast(studio, answered(studio, chat, "Who?", "x", "y", state=state)).record["incomplete"]
    records, counts = chat_votes.collect_votes(studio)
    assert records == [] and counts == {"incomplete": 1}


def test_answers_that_give_their_model_away_are_flagged_when_blind(studio: Studio, chat: Chat) -> None:
    said = ("I am Tiny Chat.", "As ChatGPT I cannot say.")
    open_vote = cast(studio, answered(studio, chat, "Who?", *said))
    assert not open_vote.record["leak"], "the names were shown anyway"
    row = answered(studio, chat, "Who?", *said, settings=BLIND)
    blind_vote = cast(studio, row)
    assert blind_vote.record["leak"] and blind_vote.record["named"] == ["tiny-chat", "ChatGPT"]
    records, counts = chat_votes.collect_votes(studio)
    assert len(records) == 1 and counts == {"pairs": 1, "leak": 1}


def test_blind_sides_are_shuffled_and_kept_until_the_names_are_shown(studio: Studio, chat: Chat) -> None:
    orders = []
    for number in range(12):
        row = answered(studio, chat, f"{number}?", "x", "y", settings=BLIND)
        again = answered(studio, chat, f"{number} again?", "x", "y", settings=BLIND)
        assert again.settings["order"] == row.settings["order"], "unvoted: the names are hidden still"
        assert how(studio, row).hidden and how(studio, again).hidden
        assert cast(studio, again, "a", *again.settings["order"]).record["blind"]
        assert not how(studio, row).hidden, "who knows one knows the other: they stand in the same order"
        with pytest.raises(Conflict, match="names of this turn have been shown"):
            cast(studio, row)
        orders.append(tuple(row.settings["order"]))
    assert set(orders) == {(0, 1), (1, 0)}


def test_a_blind_round_stays_closed_when_its_vote_is_taken_back(studio: Studio, chat: Chat) -> None:
    row = answered(studio, chat, "Who?", "x", "y", settings=BLIND)
    cast(studio, row)
    chat_votes.withdraw(studio, chat.id, 1)
    assert not how(studio, row).open and not how(studio, row).hidden and not how(studio, row).fresh
    with pytest.raises(Conflict, match="can no longer vote blind"):
        cast(studio, row)
    assert chat_votes.collect_votes(studio) == ([], {})


def test_names_can_be_shown_without_a_vote(studio: Studio, chat: Chat) -> None:
    row = answered(studio, chat, "Who?", "x", "", settings=BLIND)
    chat_votes.reveal(studio, chat.id, 1)
    assert not how(studio, row).hidden and not how(studio, row).open


def test_all_go_on_from_the_answer_that_was_voted_better(studio: Studio, chat: Chat) -> None:
    cast(studio, answered(studio, chat, "One?", "a1", "b1"), "b")
    answered(studio, chat, "Two?", "a2", "b2")
    row = answered(studio, chat, "Three?", "a3", "b3")
    earlier = chats.history(studio, chat.id)[:2]
    for side, own in enumerate(("a2", "b2")):
        said = [m["content"] for m in chats.messages_of(row, side, earlier)]
        assert said == ["One?", "b1", "Two?", own, "Three?"]
    apart = answered(studio, chat, "Four?", "a4", "b4", settings=ChatSettings(shared=False))
    said = [m["content"] for m in chats.messages_of(apart, 0, chats.history(studio, chat.id)[:3])]
    assert said == ["One?", "a1", "Two?", "a2", "Three?", "a3", "Four?"]


def test_later_rounds_take_the_conversation_of_the_chosen_side(studio: Studio, chat: Chat) -> None:
    answered(studio, chat, "One?", "a1", "b1")
    vote = cast(studio, answered(studio, chat, "Two?", "a2", "b2"), "b")
    assert [m["content"] for m in vote.record["prompt"]] == ["One?", "b1", "Two?"]
    assert not vote.record["same_history"]


def test_votes_become_a_dataset_that_dpo_takes(studio: Studio, chat: Chat) -> None:
    with pytest.raises(BadInput, match="No preference pairs yet"):
        chat_votes.votes_to_dataset(studio)
    for number in range(3):
        cast(studio, answered(studio, chat, f"Question {number}?", f"good {number}", f"bad {number}"))
    cast(studio, answered(studio, chat, "Tie?", "x", "y"), "tie")
    made = chat_votes.votes_to_dataset(studio)
    assert (made.name, made.version, made.rows, made.shape) == ("chat-votes", 1, 3, "preference")
    assert chat_votes.votes_to_dataset(studio).version == 1, "the same votes are the same version"
    assert store.records(studio, made)[0]["chosen"][-1]["content"] == "good 0"  # type: ignore[typeddict-item]
    assert chat_votes.collect_votes(studio)[1] == {"pairs": 3, "tie": 1}
    assert list(studio.settings.uploads.iterdir()) == []


# --- asked again, and forks -----------------------------------------------------------------


def test_a_fork_shares_the_rounds_before_it_and_their_votes(studio: Studio, chat: Chat) -> None:
    first = answered(studio, chat, "One?", "a1", "b1")
    answered(studio, chat, "Two?", "a2", "b2")
    new = chats.fork(studio, chat, 2, PLAIN)
    other = answered(studio, new, "Two, otherwise?", "a3", "b3")
    assert [row.prompt for row in chats.history(studio, new.id)] == ["One?", "Two, otherwise?"]
    assert [row.prompt for row in chats.history(studio, chat.id)] == ["One?", "Two?"]
    chat_votes.vote(studio, new.id, 1, "a", 0, 1)
    assert chat_votes.standing(studio, chat.id)[first.id].vote is not None, "one vote a round, wherever cast"
    deeper = chats.fork(studio, new, 1, PLAIN)
    answered(studio, deeper, "Begin anew?", "a", "b")
    assert [row.number for row in chats.history(studio, deeper.id)] == [1]
    again = chats.fork(studio, new, 3, PLAIN)
    assert [row.id for row in chats.history(studio, again.id)] == [first.id, other.id]


def test_a_vote_in_a_fork_shows_the_names_of_its_block_everywhere(studio: Studio, chat: Chat) -> None:
    first = answered(studio, chat, "One?", "a1", "b1", settings=BLIND)
    second = answered(studio, chat, "Two?", "a2", "b2", settings=BLIND)
    new = chats.fork(studio, chat, 2, BLIND)
    row = answered(studio, new, "Other?", "a3", "b3", settings=BLIND)
    assert row.settings["order"] == first.settings["order"]
    cast(studio, row)
    assert not how(studio, first).hidden and not how(studio, second).hidden


def test_asking_again_keeps_what_was_said(studio: Studio, chat: Chat) -> None:
    row = answered(studio, chat, "Who?", "x", "y")
    row = chats.ask_sides_again(studio, row, [1])
    assert row.answers[0]["answer"] == "x" and row.answers[1]["state"] == "streaming"
    assert row.answers[1]["seed"] == 1 and row.answers[1]["earlier"][0]["answer"] == "y"
    answers: Any = [row.answers[0], {**row.answers[1], **done("z")}]
    chats.save_answers(studio, row.id, answers)
    row = chats.ask_sides_again(studio, chats.get_round(studio, row.id), [0, 1])
    assert [answer["seed"] for answer in row.answers] == [2, 2]
    assert [one["answer"] for one in row.answers[1]["earlier"]] == ["y", "z"]


# --- files ----------------------------------------------------------------------------------


def test_no_file_tells_names_that_are_hidden(studio: Studio, chat: Chat) -> None:
    cast(studio, answered(studio, chat, "Open?", "a1", "b1"))
    blind = answered(studio, chat, "Blind?", "a2", "b2", settings=BLIND)
    answers: Any = [
        blind.answers[0],
        {**blind.answers[1], "state": "error", "answer": "", "error": "tiny-chat broke"},
    ]
    chats.save_answers(studio, blind.id, answers)
    text = chat_exports.markdown(studio, chat.id)
    assert "tiny" not in text.partition("Blind?")[2] and "tiny-base is better" in text
    lines = [json.loads(line) for line in chat_exports.jsonl(studio, chat.id).splitlines()]
    assert [(line["model"], len(line["messages"])) for line in lines] == [("tiny-base", 2), ("tiny-chat", 2)]
    assert "Blind?" not in json.dumps(lines)
    chat_votes.reveal(studio, chat.id, 2)
    assert "tiny-chat broke" in chat_exports.markdown(studio, chat.id)


def test_a_conversation_that_is_all_blind_is_exported_by_letters(studio: Studio, chat: Chat) -> None:
    row = answered(studio, chat, "Blind?", "zero", "one", settings=BLIND)
    lines = [json.loads(line) for line in chat_exports.jsonl(studio, chat.id).splitlines()]
    assert [line["model"] for line in lines] == ["A", "B"]
    said = ["zero", "one"]
    assert [line["messages"][1]["content"] for line in lines] == [
        said[side] for side in row.settings["order"]
    ]
    assert "tiny" not in chat_exports.markdown(studio, chat.id)
    assert chat_live.current(studio, chat.id) is None
