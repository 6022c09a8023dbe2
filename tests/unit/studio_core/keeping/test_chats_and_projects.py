from __future__ import annotations

import pytest
from sqlalchemy import text

from studio_core.base.errors import BadInput, Conflict, NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import Chat, ChatRound, Vote
from studio_core.chat import chats
from studio_core.keeping import deleting, marks, search
from studio_core.keeping.chats import CHATS
from studio_core.keeping.projects import PROJECTS
from studio_core.keeping.search import Query
from studio_core.labeling import assignment, exports, items, projects, trained, votes
from studio_core.labeling.items import Answer, NewItem
from studio_core.labeling.votes import Verdict
from tests.unit.studio_core.keeping.test_deleting import everything, sound


def talked(studio: Studio, prompt: str = "Who are you?") -> int:
    """A conversation of one round whose vote was changed: the older row names the newer one."""
    with studio.db.write() as session:
        chat = Chat(title=prompt, models=["service:a", "service:b"], settings={})
        session.add(chat)
        session.flush()
        round = ChatRound(chat_id=chat.id, number=1, prompt=prompt, answers=[], settings={})
        session.add(round)
        session.flush()
        older, newer = (
            Vote(round_id=round.id, verdict=one, left=0, right=1, record={}) for one in ("a", "b")
        )
        session.add_all([older, newer])
        session.flush()
        older.superseded_by_id = newer.id
        return chat.id


def test_a_chat_is_found_by_its_prompts_and_comes_back_with_its_votes(studio: Studio) -> None:
    chat, other = talked(studio), talked(studio, "Wie heißt du?")
    assert [row.id for row in search.find(studio, CHATS, Query("heißt")).rows] == [other]
    before = everything(studio)
    (effect,) = deleting.effects(studio, CHATS, [chat])
    assert [(one.key, list(one.names)) for one in effect.dependants] == [("votes", ["1"])]
    (deletion,) = deleting.remove(studio, CHATS, [chat])
    assert sound(studio)
    with pytest.raises(NotFound):
        chats.get(studio, chat)
    deleting.undo(studio, deletion.id)
    assert everything(studio) == before


def test_rounds_that_were_numbered_alike_meanwhile_come_back_under_other_numbers(studio: Studio) -> None:
    chat = talked(studio)
    (deletion,) = deleting.remove(studio, CHATS, [chat])
    with studio.db.write() as session:
        # As rows that are inserted in bulk, which know of no deletion.
        session.execute(
            text(
                "INSERT INTO chat (id, title, models, settings, created_at) VALUES (9, 'x', '[]', '{}', '2026-01-01')"
            )
        )
        session.execute(
            text(
                "INSERT INTO chat_round (id, chat_id, number, prompt, answers, settings, created_at) "
                "VALUES (1, 9, 1, 'new', '[]', '{}', '2026-01-01')"
            )
        )
    deleting.undo(studio, deletion.id)
    (round,) = chats.history(studio, chat)
    assert round.id > 1 and sound(studio)
    with studio.db.read() as session:
        assert {vote.round_id for vote in session.query(Vote)} == {round.id}


def test_a_chat_from_which_another_began_is_kept(studio: Studio) -> None:
    chat = talked(studio)
    chats.fork(studio, chats.get(studio, chat), 1, chats.ChatSettings())
    with pytest.raises(Conflict, match="began from"):
        deleting.remove(studio, CHATS, [chat])


def project(studio: Studio, name: str = "facts") -> int:
    one = projects.create(studio, name, settings={"repeats": 0.0}, guidelines="Prefer *facts*.")
    items.add(
        studio, one.id, [NewItem([{"role": "user", "content": "?"}], [Answer("a", "x"), Answer("b", "y")])]
    )
    (studio.settings.labelling / str(one.id)).mkdir(parents=True)
    (studio.settings.labelling / str(one.id) / "prompts.jsonl").write_text("{}\n")
    return one.id


def test_a_project_without_votes_goes_with_its_items_and_comes_back(studio: Studio) -> None:
    one = project(studio)
    assert assignment.next_item(studio, one, "anna") is not None
    marks.change(studio, PROJECTS, [one], add=["good"])
    before = everything(studio)
    (deletion,) = deleting.remove(studio, PROJECTS, [one])
    assert sound(studio) and not (studio.settings.labelling / str(one)).exists()
    deleting.undo(studio, deletion.id)
    assert everything(studio) == before
    assert (studio.settings.labelling / str(one) / "prompts.jsonl").is_file()


def test_votes_keep_their_project(studio: Studio) -> None:
    one = project(studio)
    shown = assignment.next_item(studio, one, "anna")
    assert shown is not None
    votes.cast(studio, one, "anna", shown.item.id, Verdict("left"))
    with pytest.raises(Conflict, match="has votes"):
        deleting.remove(studio, PROJECTS, [one])


def test_a_project_takes_its_datasets_along_when_it_is_renamed(studio: Studio) -> None:
    one, other = project(studio), project(studio, "riddles")
    shown = assignment.next_item(studio, one, "anna")
    assert shown is not None
    votes.cast(studio, one, "anna", shown.item.id, Verdict("left"))
    made, *_ = exports.make_dataset(studio, one)
    assert marks.rename(studio, PROJECTS, one, " truths ") == "truths"
    assert [row.id for row in trained.versions_of(studio, projects.get(studio, "truths"))] == [made.id]
    with pytest.raises(Conflict, match="already one called riddles"):
        marks.rename(studio, PROJECTS, one, "riddles")
    with pytest.raises(BadInput):
        marks.rename(studio, PROJECTS, other, "<b>")
    assert [row.id for row in search.find(studio, PROJECTS, Query(sort="name")).rows] == [other, one]


def test_chats_are_sorted_by_their_rounds(studio: Studio) -> None:
    short, long = talked(studio), talked(studio)
    with studio.db.write() as session:
        session.add(ChatRound(chat_id=long, number=2, prompt="?", answers=[], settings={}))
    assert [row.id for row in search.find(studio, CHATS, Query(sort="-rounds")).rows] == [long, short]
    assert chats.counted(studio, [short, long]) == {short: 1, long: 2}
