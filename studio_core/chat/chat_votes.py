"""Votes on rounds of conversations: one for a round, closed at the reveal, taken back until the next round.

``Vote.record`` says all that is known of a vote: ``prompt`` with ``chosen`` and ``rejected`` (or, of a tie,
``answers``), the ``models`` in that order, whether it was cast ``blind``, before an answer was ``incomplete``
no more, on an answer that gives its model away (``leak``, with the names in ``named``), by whom
(``annotator``), what the turn is called as an item of a project, under the past of either side (``contents``),
and whether it was ``withdrawn``.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from studio_core.base.errors import BadInput, Conflict
from studio_core.base.studio import Studio
from studio_core.base.tables import ChatRound, Dataset, Vote
from studio_core.chat import chat_answers, chat_sides, chats, identity
from studio_core.chat.chat_answers import Answer
from studio_core.chat.chats import LETTERS
from studio_core.data import store
from studio_core.labeling import items, undoing

Verdict = Literal["a", "b", "tie", "both_bad"]
VERDICTS: tuple[Verdict, ...] = ("a", "b", "tie", "both_bad")
ENDED = ("stop", "length")
"""States of an answer that came to its end."""
# The newest vote of each round: earlier ones stay in the table, superseded.
_COUNTS = Vote.superseded_by_id.is_(None)


@dataclass(frozen=True)
class Standing:
    """How it stands with a round."""

    vote: Vote | None
    hidden: bool
    """Nobody has been shown which model is which."""
    open: bool
    """It can be voted on."""
    undoable: bool
    fresh: bool
    """The newest round, on which nothing rests yet: it can be asked again in its place."""


def standing(studio: Studio, chat_id: int) -> dict[int, Standing]:
    """How it stands with each round of a conversation, by the round's id."""
    rounds = chats.history(studio, chat_id)
    hidden = chats.hidden(studio, rounds)
    cast = votes(studio, rounds)
    found = {}
    for row in rounds:
        vote = cast.get(row.id)
        # A blind round is closed once its names were seen, vote or not: nobody judges blind any more.
        open_ = vote is None and (not row.settings["blind"] or row.id in hidden)
        newest = row is rounds[-1]
        found[row.id] = Standing(
            vote=vote,
            hidden=row.id in hidden,
            open=open_,
            # Until the next round has begun, which may go on from the chosen answer.
            undoable=vote is not None and rounds[-1].created_at <= vote.created_at,
            fresh=open_ and newest and row.chat_id == chat_id,
        )
    return found


def votes(studio: Studio, rounds: Sequence[ChatRound]) -> dict[int, Vote]:
    """The vote that counts for each of these rounds that has one."""
    with studio.db.read() as session:
        query = select(Vote).where(Vote.round_id.in_([row.id for row in rounds]), _COUNTS)
        return {vote.round_id: vote for vote in session.scalars(query) if not _withdrawn(vote)}


def _withdrawn(vote: Vote) -> bool:
    return bool(vote.record.get("withdrawn"))


def vote(
    studio: Studio,
    chat_id: int,
    number: int,
    verdict: str,
    left: int,
    right: int,
    annotator: str = "",
    seen: int | None = None,
) -> Vote:
    """Judge two sides of a round: ``a`` means that ``left`` is better.

    Refused for a side that failed or is empty, for a round that has a vote, for one whose hidden names have
    been shown, and if the answers are others than those of the attempt that was ``seen``.
    """
    if verdict not in VERDICTS:
        raise BadInput("chat.unknown_verdict", verdict=verdict[:40])
    row = chats.round_of(studio, chat_id, number)
    chat_answers.check_attempt(row, seen)
    check_sides(row, left, right)
    earlier = [one for one in chats.history(studio, chat_id) if one.number < row.number]
    record = _record(row, earlier, verdict, left, right)
    # Asked before the write lock is taken: looking for names reads lineages and long texts.
    named = _leaked_names(studio, row, (left, right)) if row.settings["blind"] else []
    record |= {"leak": bool(named), "named": named, "annotator": annotator, "withdrawn": False}
    with studio.db.write() as session:
        old = session.scalars(select(Vote).where(Vote.round_id == row.id, _COUNTS)).first()
        if old is not None and not _withdrawn(old):
            raise Conflict("chat.already_voted")
        if row.settings["blind"] and row.id not in chats.hidden_in(session, [row]):
            raise Conflict("chat.names_shown")
        # Once more, under the lock: the answers may have been asked for again a moment ago.
        chat_answers.check_attempt(session.get_one(ChatRound, row.id), chat_answers.attempt(row.answers))
        new = Vote(round_id=row.id, verdict=verdict, left=left, right=right, record=record)
        session.add(new)
        session.flush()
        if old is not None:
            # Only withdrawn ones come here: what counts is refused above.
            old.superseded_by_id = new.id
        return new


def check_sides(row: ChatRound, left: int, right: int) -> None:
    """Raise ``BadInput`` unless these are two sides of the round that have something to compare."""
    if left == right or not {left, right} <= set(range(len(row.answers))):
        raise BadInput("chat.two_sides_needed")
    for side in (left, right):
        answer: Answer = row.answers[side]
        if answer["state"] == "error" or not answer["answer"].strip():
            raise BadInput("chat.nothing_to_judge", side=LETTERS[row.settings["order"].index(side)])


def _leaked_names(studio: Studio, row: ChatRound, sides: Sequence[int]) -> list[str]:
    """Names of models that the answers say: those of the conversation and their ancestors, and famous ones."""
    own = [
        name
        for answer in row.answers
        for name in (answer["name"], *chat_sides.names(studio, answer["model"]))
    ]
    said = [name for side in sides for name in identity.names_in(row.answers[side]["answer"], own)]
    return list(dict.fromkeys(said))


def _record(
    row: ChatRound, earlier: Sequence[ChatRound], verdict: str, left: int, right: int
) -> dict[str, Any]:
    """The preference record of TRL's conversational form; a tie keeps both answers instead.

    From the second round on the sides may have had different conversations: then the prompt is that
    of the answer which was chosen, and ``same_history`` is false.
    """
    prompts = [chats.messages_of(row, side, earlier) for side in (left, right)]
    answers: list[Answer] = [row.answers[side] for side in (left, right)]
    said = [answer["answer"].strip() for answer in answers]
    texts = [[{"role": "assistant", "content": answer["answer"]}] for answer in answers]
    record: dict[str, Any] = {
        "same_history": prompts[0] == prompts[1],
        # By both pasts, since the item of a project may be made from either.
        "contents": list(dict.fromkeys(items.content_hash(prompt, said) for prompt in prompts)),
        "incomplete": any(answer["state"] not in ENDED for answer in answers),
        "blind": row.settings["blind"],
    }
    if verdict in ("tie", "both_bad"):
        models = [answer["model"] for answer in answers]
        return {"prompt": prompts[0], "answers": texts, "models": models, **record}
    chosen, rejected = (0, 1) if verdict == "a" else (1, 0)
    return {
        "prompt": prompts[chosen],
        "chosen": texts[chosen],
        "rejected": texts[rejected],
        "models": [answers[chosen]["model"], answers[rejected]["model"]],
        **record,
    }


def withdraw(studio: Studio, chat_id: int, number: int) -> Vote:
    """Take the vote on a round back, until the next round has begun.

    A round whose names it has shown stays closed. What the vote had become in a labelling project is
    taken back with it.
    """
    row = chats.round_of(studio, chat_id, number)
    found = standing(studio, chat_id)[row.id]
    if found.vote is None:
        raise Conflict("chat.no_vote")
    if not found.undoable:
        raise Conflict("chat.too_late_to_undo")
    with studio.db.write() as session:
        cast = session.get_one(Vote, found.vote.id)
        # A new dictionary, since changes inside a JSON column go unnoticed.
        cast.record = {**cast.record, "withdrawn": True}
        undoing.take_back(session, cast.record.get("sent", []))
        return cast


def reveal(studio: Studio, chat_id: int, number: int) -> None:
    """Show the names of a blind round without a vote; it is closed by that."""
    row = chats.round_of(studio, chat_id, number)
    with studio.db.write() as session:
        stored = session.get_one(ChatRound, row.id)
        stored.settings = {**stored.settings, "revealed": True}


def collect_votes(studio: Studio) -> tuple[list[dict[str, Any]], Counter[str]]:
    """All preference records, oldest first, and how many votes became what.

    Counts: ``pairs``, ``tie``, ``both_bad``, and left out although they prefer one answer: ``incomplete``
    (voted before the end) and ``leak`` (an answer gave its model away).
    """
    counts: Counter[str] = Counter()
    records = []
    with studio.db.read() as session:
        for cast in session.scalars(select(Vote).where(_COUNTS).order_by(Vote.id)):
            kind = _kind(cast)
            counts[kind] += kind != "withdrawn"
            if kind == "pairs":
                records.append({name: cast.record[name] for name in ("prompt", "chosen", "rejected")})
    return records, +counts


def _kind(cast: Vote) -> str:
    if _withdrawn(cast):
        return "withdrawn"
    if cast.verdict in ("tie", "both_bad"):
        return cast.verdict
    for flag in ("incomplete", "leak"):
        if cast.record.get(flag):
            return flag
    return "pairs"


def preference_records(studio: Studio) -> list[dict[str, Any]]:
    """``prompt``, ``chosen``, ``rejected`` of every vote that counts and prefers one answer, oldest first."""
    return collect_votes(studio)[0]


def votes_to_dataset(studio: Studio, name: str = "chat-votes") -> Dataset:
    """Make all preference records a dataset; the next time, a new version of it."""
    records = preference_records(studio)
    if not records:
        raise BadInput("chat.no_votes")
    with tempfile.NamedTemporaryFile(
        "w", dir=studio.settings.uploads, suffix=".jsonl", encoding="utf-8"
    ) as file:
        file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        file.flush()
        return store.import_file(studio, Path(file.name), name=name, source=f"{name}.jsonl").dataset


def link(session: Session, vote_id: int, annotation_id: int) -> None:
    """Note what a vote has become in a labelling project."""
    cast = session.get_one(Vote, vote_id)
    cast.record = {**cast.record, "sent": [*cast.record.get("sent", []), annotation_id]}
