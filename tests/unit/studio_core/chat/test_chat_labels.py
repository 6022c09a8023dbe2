"""Turns and corrections of conversations as items of labelling projects."""

from __future__ import annotations

from typing import Any

import pytest

from studio_core.base.errors import BadInput, Conflict
from studio_core.base.studio import Studio
from studio_core.base.tables import Chat, LabelItem
from studio_core.chat import chat_labels, chat_votes, chats
from studio_core.chat.chats import ChatSettings
from studio_core.labeling import arena, assignment, exports, items, projects, undoing, votes
from studio_core.labeling.votes import Verdict
from studio_core.models import registry
from tests.unit.studio_core.chat.talking import PLAIN, answered


@pytest.fixture
def chat(studio: Studio) -> Chat:
    registry.ensure_demo_models(studio)
    return chats.start(studio, ["tiny-base", "tiny-chat"], PLAIN)


def only(studio: Studio, project: str = "chat") -> LabelItem:
    [item] = items.page(studio, projects.get(studio, project).id)
    return item


def test_a_correction_is_a_judged_pair(studio: Studio, chat: Chat) -> None:
    settings = ChatSettings(system="Be brief.")
    answered(studio, chat, "One?", "a1", "b1", settings=settings)
    answered(studio, chat, "Two?", "a2", "b2", settings=settings)
    made = chat_labels.correct(studio, chat.id, 2, 1, "better", "anna")
    item = only(studio)
    assert (made.project.name, made.number, made.voted) == ("chat", 1, True)
    assert [m["content"] for m in item.prompt] == ["Be brief.", "One?", "b1", "Two?"]
    original, edit = item.answers
    assert (original["text"], original["source"], original["origin"]) == ("b2", "tiny-chat", "model")
    assert (edit["text"], edit["source"], edit["origin"]) == ("better", "anna", "human_edit")
    [vote] = votes.standing(studio, made.project.id)
    assert (vote.annotator, vote.verdict, item.votes) == ("anna", "b", 1)
    [dataset] = exports.make_dataset(studio, "chat", name="fixed")[:1]
    assert dataset.rows == 1
    chat_labels.correct(studio, chat.id, 2, 1, "better", "bert")
    assert len(votes.standing(studio, made.project.id)) == 2, "the same pair is there once"
    assert assignment.next_item(studio, "chat", "carl") is None


@pytest.mark.parametrize(
    ("text", "error"),
    [(" ", "is empty"), ("a1", "Nothing was changed"), ("x" * 20_001, "the limit is 20000")],
)
def test_corrections_that_say_nothing_are_refused(studio: Studio, chat: Chat, text: str, error: str) -> None:
    answered(studio, chat, "One?", "a1", "b1")
    with pytest.raises(BadInput, match=error):
        chat_labels.correct(studio, chat.id, 1, 0, text, "anna")
    assert projects.all_projects(studio) == []


def test_what_failed_or_goes_on_is_not_taken(studio: Studio, chat: Chat) -> None:
    answered(studio, chat, "One?", "a1", "", state="stop")
    with pytest.raises(BadInput, match="cannot be edited"):
        chat_labels.correct(studio, chat.id, 1, 1, "better", "anna")
    with pytest.raises(BadInput, match="failed or is empty"):
        chat_labels.send(studio, chat.id, 1, 0, 1, "anna")
    answered(studio, chat, "Two?", "a", "b", state="streaming")
    with pytest.raises(Conflict, match="still being generated"):
        chat_labels.send(studio, chat.id, 2, 0, 1, "anna")
    with pytest.raises(Conflict, match="still being generated"):
        chat_labels.correct(studio, chat.id, 2, 0, "better", "anna")
    with pytest.raises(BadInput, match="no such answer"):
        chat_labels.correct(studio, chat.id, 1, 5, "better", "anna")
    assert projects.all_projects(studio) == []


def test_a_turn_without_a_vote_waits_to_be_judged(studio: Studio, chat: Chat) -> None:
    answered(studio, chat, "One?", "a1", "b1")
    made = chat_labels.send(studio, chat.id, 1, 1, 0, "anna", "pairs")
    assert not made.voted and [a["text"] for a in only(studio, "pairs").answers] == ["a1", "b1"]
    shown = assignment.next_item(studio, "pairs", "bert")
    assert shown is not None and shown.item.number == made.number


@pytest.mark.parametrize("verdict", ["a", "b", "tie", "both_bad"])
def test_the_vote_goes_with_the_turn_and_is_taken_back_with_it(
    studio: Studio, chat: Chat, verdict: str
) -> None:
    answered(studio, chat, "One?", "a1", "b1")
    chat_votes.vote(studio, chat.id, 1, verdict, 1, 0, "anna")
    made = chat_labels.send(studio, chat.id, 1, 0, 1, "bert")
    assert made.voted
    [vote] = votes.standing(studio, made.project.id)
    expected = {"a": "b", "b": "a"}.get(verdict, verdict)  # Side 1 stood on the left.
    assert (vote.verdict, vote.annotator, vote.order) == (expected, "anna", [1, 0])
    chat_votes.withdraw(studio, chat.id, 1)
    assert votes.standing(studio, made.project.id) == [] and only(studio).votes == 0


def test_what_is_taken_back_in_the_conversation_stays_so_whatever_is_undone(
    studio: Studio, chat: Chat
) -> None:
    answered(studio, chat, "One?", "a1", "b1")
    made = chat_labels.send(studio, chat.id, 1, 0, 1, "anna")
    judged_there(studio, made, "anna", "tie")
    chat_votes.vote(studio, chat.id, 1, "a", 0, 1, "anna")
    chat_labels.send(studio, chat.id, 1, 0, 1, "anna")
    item = only(studio).id

    def stands() -> list[str]:
        return [vote.verdict for vote in votes.standing(studio, made.project.id)]

    assert stands() == ["a"]
    undoing.withdraw(studio, made.project.id, "anna", item)
    undoing.undo(studio, made.project.id, "anna")
    assert stands() == ["a"]
    undoing.withdraw(studio, made.project.id, "anna", item)
    chat_votes.withdraw(studio, chat.id, 1)
    assert stands() == []
    undoing.undo(studio, made.project.id, "anna")  # Only what she had said there herself comes back.
    assert stands() == ["tie"] and only(studio).votes == 1


def test_taking_back_in_the_conversation_brings_back_what_was_said_before(studio: Studio, chat: Chat) -> None:
    answered(studio, chat, "One?", "a1", "b1")
    made = chat_labels.send(studio, chat.id, 1, 0, 1, "anna")
    judged_there(studio, made, "anna", "tie")
    chat_votes.vote(studio, chat.id, 1, "a", 0, 1, "anna")
    chat_labels.send(studio, chat.id, 1, 0, 1, "anna")
    chat_votes.withdraw(studio, chat.id, 1)
    assert [vote.verdict for vote in votes.standing(studio, made.project.id)] == ["tie"]
    assert only(studio).votes == 1


def test_a_vote_that_went_to_a_project_counts_once_in_the_arena(studio: Studio, chat: Chat) -> None:
    blind = ChatSettings(blind=True)
    answered(studio, chat, "One?", "a1", "b1", settings=blind)
    answered(studio, chat, "Two?", "a2", "b2")
    for number in (1, 2):
        chat_votes.vote(studio, chat.id, number, "a", 0, 1, "anna")
        assert chat_labels.send(studio, chat.id, number, 0, 1, "anna").voted
    found = arena.played(studio)
    assert len(found.games) == 1 and found.left_out == {"not_blind": 1}
    answered(studio, chat, "Three?", "a3", "b3", settings=blind)
    chat_votes.vote(studio, chat.id, 3, "a", 0, 1, "anna")
    chat_votes.withdraw(studio, chat.id, 3)
    assert len(arena.played(studio).games) == 1, "what was taken back is no game"


def judged_there(studio: Studio, made: chat_labels.Sent, annotator: str, verdict: str) -> None:
    shown = assignment.next_item(studio, made.project.id, annotator)
    assert shown is not None
    votes.cast(studio, made.project.id, annotator, shown.item.id, Verdict(verdict))


@pytest.mark.parametrize("chosen", ["a", "b", "tie"])
def test_a_turn_sent_before_its_vote_counts_once_for_each_person(
    studio: Studio, chat: Chat, chosen: str
) -> None:
    """The second turn: each side has a past of its own, and the item has that of one of them."""
    blind = ChatSettings(blind=True)
    answered(studio, chat, "One?", "a1", "b1", settings=blind)
    answered(studio, chat, "Two?", "a2", "b2", settings=blind)
    made = chat_labels.send(studio, chat.id, 2, 0, 1, "anna")
    judged_there(studio, made, "anna", "tie")
    assert [game.score for game in arena.played(studio).games] == [0.5]
    chat_votes.vote(studio, chat.id, 2, chosen, 0, 1, "anna")
    assert [game.score for game in arena.played(studio).games] == [0.5], "what she said first"
    chat_votes.withdraw(studio, chat.id, 2)
    assert [game.score for game in arena.played(studio).games] == [0.5]


def test_what_two_people_say_of_a_turn_is_two_games(studio: Studio, chat: Chat) -> None:
    answered(studio, chat, "One?", "a1", "b1", settings=ChatSettings(blind=True))
    made = chat_labels.send(studio, chat.id, 1, 0, 1, "anna")
    judged_there(studio, made, "bert", "tie")
    chat_votes.vote(studio, chat.id, 1, "a", 0, 1, "anna")
    assert sorted(game.score for game in arena.played(studio).games) == [0.5, 1.0]


def test_a_turn_judged_in_a_project_after_its_vote_has_the_flags_of_the_vote(
    studio: Studio, chat: Chat
) -> None:
    """Whoever has voted in the chat has seen the names: what they say afterwards is not blind."""
    answered(studio, chat, "One?", "a1", "b1")
    made = chat_labels.send(studio, chat.id, 1, 0, 1, "anna")
    chat_votes.vote(studio, chat.id, 1, "a", 0, 1, "anna")
    judged_there(studio, made, "anna", "tie")
    found = arena.played(studio)
    assert not found.games and found.left_out == {"not_blind": 1}


def test_flagged_votes_stay_behind(studio: Studio, chat: Chat) -> None:
    answered(studio, chat, "One?", "a1", "b1", state="cancelled")
    assert chat_votes.vote(studio, chat.id, 1, "a", 0, 1, "anna").record["incomplete"]
    assert not chat_labels.send(studio, chat.id, 1, 0, 1, "anna").voted


def test_only_projects_of_pairs_take_turns(studio: Studio, chat: Chat) -> None:
    answered(studio, chat, "One?", "a1", "b1")
    projects.create(studio, "marks", mode="rate")
    rounds: Any = {"project": 1, "number": 1}
    projects.create(studio, "compared", round=rounds)
    projects.create(studio, "mine")
    assert [one.name for one in chat_labels.projects_for_turns(studio)] == ["mine"]
    for name in ("marks", "compared"):
        with pytest.raises(BadInput, match="does not accept pairs"):
            chat_labels.send(studio, chat.id, 1, 0, 1, "anna", name)
    assert chat_labels.send(studio, chat.id, 1, 0, 1, "anna", "mine").project.name == "mine"


def test_the_same_answers_are_nothing_to_prefer(studio: Studio, chat: Chat) -> None:
    answered(studio, chat, "One?", "same", "same ")
    with pytest.raises(BadInput, match="identical"):
        chat_labels.send(studio, chat.id, 1, 0, 1, "anna")
