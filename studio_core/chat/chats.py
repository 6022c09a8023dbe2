"""Conversations with models side by side: rounds and answers. What is said of them is in ``chat_votes``.

A round is one prompt and the answer of each side (``chat_answers``).

Nothing is ever overwritten: an answer that is asked for again keeps the earlier ones beside it, and a
change to an older round begins a conversation that shares the rounds before it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from studio_core.base.errors import BadInput, Conflict, NotFound, StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import Chat, ChatRound, Vote
from studio_core.base.validation import validate
from studio_core.chat import chat_sides
from studio_core.chat.chat_answers import Answer, follow, next_seed, pending
from studio_core.chat.chat_sides import ToService
from studio_core.generation import serving
from studio_core.generation.sampling import MaxTokens, Sampling, Seed, Temperature, TopP
from studio_core.models import registry

# As many columns as can be read beside each other, and letters A to D.
MOST_SIDES = 4
# Characters, more than the context of most open models; the model's own limit is told by the worker.
LONGEST_PROMPT = 100_000
# Characters that fit into the list beside a conversation.
_TITLE = 60
LETTERS = "ABCD"


class ChatSettings(BaseModel):
    """How the models of a conversation are asked."""

    # Ignored and not refused: a round's settings hold more than these, and newer ones still more.
    model_config = ConfigDict(extra="ignore", frozen=True)

    system: str = Field(default="", max_length=20_000)
    # The values at which the demo models and most small ones are lively and
    # still sound; a judgement, and a person's to change.
    temperature: Temperature = 0.7
    top_p: TopP = 0.9
    seed: Seed = 0
    # Some 190 words, read in a minute; longer answers are a person's choice.
    max_tokens: MaxTokens = 256
    blind: bool = False
    """Names are hidden and sides shuffled until the vote."""
    shared: bool = True
    """After a vote for one answer all sides go on from it; without one, each from its own."""

    @model_validator(mode="before")
    @classmethod
    def _of_earlier_versions(cls, values: Any) -> Any:
        """Conversations were stored with ``max_new_tokens`` once."""
        if isinstance(values, Mapping) and "max_new_tokens" in values:
            values = {"max_tokens": values["max_new_tokens"], **values}
        return values


def checked_settings(**values: Any) -> ChatSettings:
    """Settings as a person typed them. Raises ``BadInput`` that names the first one out of range."""
    return validate(ChatSettings, values, "chat.setting_invalid")


def start(studio: Studio, model_names: Sequence[str | int], settings: ChatSettings) -> Chat:
    """A new conversation with these models, in the order of the columns. Its title comes with a prompt."""
    if not 1 <= len(model_names) <= MOST_SIDES:
        raise BadInput("chat.number_of_models", number=len(model_names), most=MOST_SIDES)
    models = [chat_sides.find_side(studio, name, add=True) for name in model_names]
    with studio.db.write() as session:
        chat = Chat(title="", models=models, settings=settings.model_dump())
        session.add(chat)
        return chat


def get(studio: Studio, chat_id: int) -> Chat:
    with studio.db.read() as session:
        chat = session.get(Chat, chat_id)
    if chat is None:
        raise NotFound("chat.not_found", chat=chat_id)
    return chat


def titles(studio: Studio, limit: int = 100) -> Sequence[Chat]:
    """Conversations that have begun, newest first."""
    with studio.db.read() as session:
        query = select(Chat).where(Chat.title != "").order_by(Chat.id.desc()).limit(limit)
        return session.scalars(query).all()


def counted(studio: Studio, ids: Sequence[int]) -> dict[int, int]:
    """How many rounds each of these conversations has of its own."""
    query = (
        select(ChatRound.chat_id, func.count().label("n"))
        .where(ChatRound.chat_id.in_(ids))
        .group_by(ChatRound.chat_id)
    )
    with studio.db.read() as session:
        return {row.chat_id: row.n for row in session.execute(query)}


def history(studio: Studio, chat_id: int) -> list[ChatRound]:
    """All rounds of a conversation, in order; those before a fork are the rounds of the other one."""
    with studio.db.read() as session:
        return _history(session, chat_id)


def _history(session: Session, chat_id: int) -> list[ChatRound]:
    rounds: list[ChatRound] = []
    # Above every number of a round; each fork lowers it to where it left its origin.
    chat, below = session.get(Chat, chat_id), 2**31
    while chat is not None:
        own = select(ChatRound).where(ChatRound.chat_id == chat.id, ChatRound.number < below)
        rounds[:0] = session.scalars(own.order_by(ChatRound.number))
        fork = chat.settings.get("fork")
        # A fork of a fork may begin before the place where the first one did.
        below = min(below, fork["before"]) if fork else below
        chat = session.get(Chat, fork["chat"]) if fork else None
    return rounds


def fork(studio: Studio, chat: Chat, before: int, settings: ChatSettings) -> Chat:
    """A new conversation that shares the rounds before the number ``before`` with ``chat``."""
    with studio.db.write() as session:
        origin = {"chat": chat.id, "before": before}
        new = Chat(title="", models=chat.models, settings={**settings.model_dump(), "fork": origin})
        session.add(new)
        return new


def get_round(studio: Studio, round_id: int) -> ChatRound:
    with studio.db.read() as session:
        found = session.get(ChatRound, round_id)
    if found is None:
        raise NotFound("chat.round_not_found", round=round_id)
    return found


def round_of(studio: Studio, chat_id: int, number: int) -> ChatRound:
    """The round of that number in a conversation."""
    get(studio, chat_id)
    found = next((row for row in history(studio, chat_id) if row.number == number), None)
    if found is None:
        raise NotFound("chat.round_not_found", round=number)
    return found


def add_round(studio: Studio, chat: Chat, prompt: str, settings: ChatSettings) -> ChatRound:
    """Store a prompt, with an answer still to come for each side."""
    check_prompt(prompt)
    names = [chat_sides.name_of(studio, model) for model in chat.models]
    answers = [pending(model, name, settings.seed) for model, name in zip(chat.models, names, strict=True)]
    with studio.db.write() as session:
        # Read anew: the conversation that the caller holds may be older than its last round.
        stored = session.get_one(Chat, chat.id)
        earlier = _history(session, chat.id)
        start = (stored.settings.get("fork") or {}).get("before", 1)
        number = earlier[-1].number + 1 if earlier else start
        row = ChatRound(
            chat_id=chat.id,
            number=number,
            prompt=prompt,
            answers=list(answers),
            settings={
                **settings.model_dump(),
                **_places(session, stored, number, settings, earlier),
                # Noted with the round and not computed later: a vote that is taken
                # back must not change what was asked.
                "goes_on": _goes_on(session, earlier) if settings.shared else [],
            },
        )
        session.add(row)
        stored.title = stored.title or _title(prompt)
        # What links a conversation to its origin is no setting of a person's.
        kept = {"fork": stored.settings["fork"]} if "fork" in stored.settings else {}
        stored.settings = {**settings.model_dump(), **kept}
        return row


def check_prompt(prompt: str) -> None:
    if not prompt.strip():
        raise BadInput("chat.empty_prompt")
    if len(prompt) > LONGEST_PROMPT:
        raise BadInput("chat.long_prompt", letters=len(prompt), most=LONGEST_PROMPT)


def _places(
    session: Session, chat: Chat, number: int, settings: ChatSettings, earlier: Sequence[ChatRound]
) -> dict[str, Any]:
    """Which side stands at which place: shuffled when blind, and kept until the names have been shown.

    Rounds with one shuffling are a block: whoever knows the names in one of them knows them in all.
    """
    block = f"{chat.id}.{number}"
    order = list(range(len(chat.models)))
    if settings.blind:
        before = earlier[-1] if earlier else None
        if before is not None and before.id in hidden_in(session, [before]):
            return {"order": before.settings["order"], "block": _block(before)}
        # From the seed, so that a test can say the order, and with the block,
        # so that nobody knows it from the round before.
        random.Random(f"{block} {settings.seed}").shuffle(order)
    return {"order": order, "block": block}


def _block(row: ChatRound) -> str:
    # Rounds of older data folders have none: each was a block of its own.
    return row.settings.get("block") or f"{row.chat_id}.{row.number}"


def _goes_on(session: Session, earlier: Sequence[ChatRound]) -> list[int | None]:
    """For each earlier round the side from which all go on, None where each goes on from its own."""
    query = select(Vote).where(
        Vote.round_id.in_([row.id for row in earlier]), Vote.superseded_by_id.is_(None)
    )
    chosen = {
        vote.round_id: vote.left if vote.verdict == "a" else vote.right
        for vote in session.scalars(query)
        if vote.verdict in ("a", "b") and not vote.record.get("withdrawn")
    }
    return [chosen.get(row.id) for row in earlier]


def hidden(studio: Studio, rounds: Iterable[ChatRound]) -> set[int]:
    """Those of the rounds, by id, whose names nobody has been shown yet."""
    with studio.db.read() as session:
        return hidden_in(session, list(rounds))


def hidden_in(session: Session, rounds: Sequence[ChatRound]) -> set[int]:
    """As ``hidden``, within a transaction that has more to do."""
    blind = {row.id: _block(row) for row in rounds if row.settings["blind"]}
    if not blind:
        return set()
    named = ChatRound.settings["block"].as_string()
    alike = select(ChatRound).where(or_(ChatRound.id.in_(blind), named.in_(set(blind.values()))))
    blocks = {row.id: (_block(row), row.settings.get("revealed")) for row in session.scalars(alike)}
    # Superseded and withdrawn votes too: the names were shown when they were cast.
    voted = set(session.scalars(select(Vote.round_id).where(Vote.round_id.in_(blocks))))
    shown = {block for id, (block, revealed) in blocks.items() if revealed or id in voted}
    return {id for id, block in blind.items() if block not in shown}


def ask_sides_again(studio: Studio, row: ChatRound, sides: Sequence[int]) -> ChatRound:
    """Keep what these sides have answered and await new answers of them, with the next seed.

    Refused once the answers were judged, by whomever and however lately.
    """
    with studio.db.write() as session:
        stored = session.get_one(ChatRound, row.id)
        # Under the write lock: a vote from another tab and this question must not overtake each other.
        judged = select(Vote).where(Vote.round_id == row.id, Vote.superseded_by_id.is_(None))
        if any(not vote.record.get("withdrawn") for vote in session.scalars(judged)):
            raise Conflict("chat.already_voted")
        answers: list[Answer] = [dict(answer) for answer in stored.answers]  # type: ignore[misc]
        seed = next_seed(stored, sides)
        for side in sides:
            old = answers[side]
            earlier = old.pop("earlier", [])
            answers[side] = {**pending(old["model"], old["name"], seed), "earlier": [*earlier, old]}
        stored.answers = list(answers)
        return stored


def _title(prompt: str) -> str:
    line = " ".join(prompt.split())
    return line if len(line) <= _TITLE else line[: _TITLE - 1] + "…"


def save_answers(studio: Studio, round_id: int, answers: Sequence[Answer]) -> None:
    with studio.db.write() as session:
        session.get_one(ChatRound, round_id).answers = [dict(answer) for answer in answers]


def mark_interrupted(studio: Studio, chat_id: int) -> None:
    """Answers that nobody takes in any more (the page's process ended) keep what had come."""
    for row in history(studio, chat_id):
        if any(answer["state"] == "streaming" for answer in row.answers):
            answers = [
                {**answer, "state": "interrupted"} if answer["state"] == "streaming" else answer
                for answer in row.answers
            ]
            save_answers(studio, row.id, answers)  # type: ignore[arg-type]


def questions(
    studio: Studio, chat: Chat, row: ChatRound, sides: Sequence[int]
) -> list[serving.Question | ToService | StudioError]:
    """What each of these sides is asked in a round, or why it cannot be."""
    earlier = [one for one in history(studio, chat.id) if one.number < row.number]
    asked: list[serving.Question | ToService | StudioError] = []
    for side in sides:
        try:
            asked.append(chat_sides.question(studio, chat.models[side], messages_of(row, side, earlier)))
        except StudioError as error:
            asked.append(error)
    return asked


def messages_of(row: ChatRound, side: int, earlier: Sequence[ChatRound]) -> list[dict[str, str]]:
    """The conversation that one side is to continue, without rounds that it did not answer.

    Its earlier answers are its own, or those which were chosen for all.
    """
    messages = [{"role": "system", "content": row.settings["system"]}] if row.settings["system"] else []
    # Rounds of older data folders say nothing: each side goes on from its own.
    goes_on = row.settings.get("goes_on") or [None] * len(earlier)
    for one, chosen in zip(earlier, goes_on, strict=True):
        answer: Answer = one.answers[side if chosen is None else chosen]
        # A question without an answer would make two messages of the user in
        # a row, which many templates refuse.
        if answer["answer"] and answer["state"] != "error":
            messages.append({"role": "user", "content": one.prompt})
            messages.append({"role": "assistant", "content": answer["answer"]})
    return [*messages, {"role": "user", "content": row.prompt}]


def settings_of(row: ChatRound) -> ChatSettings:
    return ChatSettings.model_validate(row.settings)


def ask_once(
    studio: Studio, model_names: Sequence[str | int], prompt: str, settings: ChatSettings
) -> list[dict[str, Any]]:
    """One prompt to several models, nothing stored: ``[{"model", "answer", "tokens", "seconds"}]``.

    A model that failed has ``error`` besides.
    """
    if not prompt.strip():
        raise BadInput("chat.empty_prompt")
    system = [{"role": "system", "content": settings.system}] if settings.system else []
    models = [registry.resolve(studio, name) for name in model_names]
    asked = [serving.Question(model, [*system, {"role": "user", "content": prompt}]) for model in models]
    answers: list[Answer] = [{"answer": "", "tokens": 0, "seconds": 0.0, "state": "streaming"} for _ in asked]
    for event in serving.generate(studio, asked, Sampling.of(settings)):
        follow(answers, event)
    kept = ("answer", "tokens", "seconds", "error")
    return [
        {"model": model.name, **{name: answer[name] for name in kept if name in answer}}  # type: ignore[literal-required]
        for model, answer in zip(models, answers, strict=True)
    ]
