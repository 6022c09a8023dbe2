"""Conversations with models side by side: rounds, answers, votes, and what becomes of them.

A round is one prompt and the answer of each side; each side goes on from its own earlier answers.
Answers are kept as ``{"model": id, "name", "answer", "tokens", "seconds", "state"}``, and those that
failed with ``error`` (a sentence), ``key`` and ``values`` of its text. ``state`` is ``streaming``,
``stop`` (it ended by itself), ``length`` (cut at the limit), ``cancelled``, ``interrupted`` or ``error``.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from studio_core import serving
from studio_core.data import store
from studio_core.errors import BadInput, NotFound, StudioError
from studio_core.models import registry
from studio_core.studio import Studio
from studio_core.tables import Chat, ChatRound, Dataset, Vote

MOST_SIDES = 4
LONGEST_PROMPT = 100_000
_TITLE = 60

Verdict = Literal["a", "b", "tie", "both_bad"]
VERDICTS: tuple[Verdict, ...] = ("a", "b", "tie", "both_bad")


class Answer(TypedDict, total=False):
    """One side of a round, as it is stored."""

    model: int
    name: str
    answer: str
    tokens: int
    seconds: float
    state: str
    error: str
    key: str
    values: dict[str, str]


class ChatSettings(BaseModel):
    """How the models of a conversation are asked."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    system: str = Field(default="", max_length=20_000)
    temperature: float = Field(default=0.7, ge=0, le=2, allow_inf_nan=False)
    top_p: float = Field(default=0.9, gt=0, le=1)
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    max_new_tokens: int = Field(default=256, ge=1, le=4096)
    blind: bool = False
    """Names are hidden and sides shuffled until the vote."""

    def sampling(self) -> dict[str, float | int]:
        return self.model_dump(include={"temperature", "top_p", "seed", "max_new_tokens"})


def checked_settings(**values: Any) -> ChatSettings:
    """Settings as a person typed them. Raises ``BadInput`` that names the first one out of range."""
    try:
        return ChatSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(
            "chat.setting_invalid", name=first["loc"][0], value=first["input"], reason=first["msg"]
        ) from error


def start(studio: Studio, model_names: Sequence[str | int], settings: ChatSettings) -> Chat:
    """A new conversation with these models, in the order of the columns. Its title comes with a prompt."""
    if not 1 <= len(model_names) <= MOST_SIDES:
        raise BadInput("chat.number_of_models", number=len(model_names), most=MOST_SIDES)
    models = [registry.find_or_add(studio, name).id for name in model_names]
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


def history(studio: Studio, chat_id: int) -> Sequence[ChatRound]:
    """All rounds of a conversation, in order."""
    with studio.db.read() as session:
        query = select(ChatRound).where(ChatRound.chat_id == chat_id).order_by(ChatRound.number)
        return session.scalars(query).all()


def get_round(studio: Studio, round_id: int) -> ChatRound:
    with studio.db.read() as session:
        found = session.get(ChatRound, round_id)
    if found is None:
        raise NotFound("chat.round_not_found", round=round_id)
    return found


def add_round(studio: Studio, chat: Chat, prompt: str, settings: ChatSettings) -> ChatRound:
    """Store a prompt, with an answer still to come for each side."""
    if not prompt.strip():
        raise BadInput("chat.empty_prompt")
    if len(prompt) > LONGEST_PROMPT:
        raise BadInput("chat.long_prompt", letters=len(prompt), most=LONGEST_PROMPT)
    names = [registry.get(studio, model).name for model in chat.models]
    answers: list[Answer] = [
        {"model": model, "name": name, "answer": "", "tokens": 0, "seconds": 0.0, "state": "streaming"}
        for model, name in zip(chat.models, names, strict=True)
    ]
    with studio.db.write() as session:
        query = select(ChatRound).where(ChatRound.chat_id == chat.id).order_by(ChatRound.number.desc())
        before = session.scalars(query).first()
        order = _order(chat, settings, before, before is not None and _newest_vote(session, before.id))
        row = ChatRound(
            chat_id=chat.id,
            number=before.number + 1 if before else 1,
            prompt=prompt,
            answers=list(answers),
            settings={**settings.model_dump(), "order": order},
        )
        session.add(row)
        stored = session.get_one(Chat, chat.id)
        stored.title = stored.title or _title(prompt)
        stored.settings = settings.model_dump()
        return row


def _order(chat: Chat, settings: ChatSettings, before: ChatRound | None, voted: Any) -> list[int]:
    """Which side stands at which place: shuffled when blind, and kept until a vote has shown the names."""
    order = list(range(len(chat.models)))
    if not settings.blind:
        return order
    if before is not None and before.settings["blind"] and not voted:
        kept: list[int] = before.settings["order"]
        return kept
    random.Random(f"{chat.id} {before.number if before else 0} {settings.seed}").shuffle(order)
    return order


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


def questions(studio: Studio, chat: Chat, row: ChatRound) -> list[serving.Question | StudioError]:
    """What each side is asked in a round, or why it cannot be."""
    earlier = [one for one in history(studio, chat.id) if one.number < row.number]
    asked: list[serving.Question | StudioError] = []
    for side, model in enumerate(chat.models):
        try:
            resolved = registry.resolve(studio, model)
            asked.append(serving.Question(resolved, messages_of(row, side, earlier)))
        except StudioError as error:
            asked.append(error)
    return asked


def messages_of(row: ChatRound, side: int, earlier: Sequence[ChatRound]) -> list[dict[str, str]]:
    """The conversation that one side is to continue: its own, without rounds that it did not answer."""
    messages = [{"role": "system", "content": row.settings["system"]}] if row.settings["system"] else []
    for one in earlier:
        answer: Answer = one.answers[side]
        if answer["answer"] and answer["state"] != "error":
            messages.append({"role": "user", "content": one.prompt})
            messages.append({"role": "assistant", "content": answer["answer"]})
    return [*messages, {"role": "user", "content": row.prompt}]


def follow(answers: list[Answer], event: serving.Event) -> None:
    """Bring the answers of a round up to date with one event of the worker."""
    answer = answers[event["side"]]
    if "text" in event:
        answer["answer"] += event["text"]
    elif event.get("done"):
        answer.update({"tokens": event["tokens"], "seconds": event["seconds"], "state": event["reason"]})
    elif "error" in event:
        answer.update(
            {
                "state": "error",
                "error": event["error"],
                "key": event.get("key", ""),
                "values": event.get("values", {}),
            }
        )


def failure(error: StudioError) -> Answer:
    """The fields of an answer that did not come."""
    values = {name: str(value) for name, value in error.values.items()}
    return {"state": "error", "error": error.sentence(), "key": error.key, "values": values}


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
    for event in serving.generate(studio, asked, settings.sampling()):
        follow(answers, event)
    kept = ("answer", "tokens", "seconds", "error")
    return [
        {"model": model.name, **{name: answer[name] for name in kept if name in answer}}  # type: ignore[literal-required]
        for model, answer in zip(models, answers, strict=True)
    ]


# --- votes -------------------------------------------------------------------------------


def vote(studio: Studio, round_id: int, verdict: str, left: int, right: int) -> Vote:
    """Judge two sides of a round: ``a`` means that ``left`` is better. A new vote supersedes the old one.

    Refused for a side that failed or is empty, since it cannot be compared.
    """
    if verdict not in VERDICTS:
        raise BadInput("chat.unknown_verdict", verdict=verdict)
    row = get_round(studio, round_id)
    if left == right or not {left, right} <= set(range(len(row.answers))):
        raise BadInput("chat.two_sides_needed")
    for side in (left, right):
        answer: Answer = row.answers[side]
        if answer["state"] == "error" or not answer["answer"].strip():
            raise BadInput("chat.nothing_to_judge", side="ABCD"[row.settings["order"].index(side)])
    earlier = [one for one in history(studio, row.chat_id) if one.number < row.number]
    with studio.db.write() as session:
        old = _newest_vote(session, round_id)
        record = _record(row, earlier, verdict, left, right)
        record["blind"] = row.settings["blind"] and old is None
        new = Vote(round_id=round_id, verdict=verdict, left=left, right=right, record=record)
        session.add(new)
        session.flush()
        if old is not None:
            old.superseded_by_id = new.id
        return new


def _newest_vote(session: Session, round_id: int) -> Vote | None:
    return session.scalar(select(Vote).where(Vote.round_id == round_id, Vote.superseded_by_id.is_(None)))


def _record(
    row: ChatRound, earlier: Sequence[ChatRound], verdict: str, left: int, right: int
) -> dict[str, Any]:
    """The preference record of TRL's conversational form; a tie keeps both answers instead.

    From the second round on the sides may have had different conversations: then the prompt is that
    of the answer which was chosen, and ``same_history`` is false.
    """
    prompts = [messages_of(row, side, earlier) for side in (left, right)]
    answers: list[Answer] = [row.answers[side] for side in (left, right)]
    texts = [[{"role": "assistant", "content": answer["answer"]}] for answer in answers]
    record: dict[str, Any] = {
        "same_history": prompts[0] == prompts[1],
        "incomplete": any(answer["state"] not in ("stop", "length") for answer in answers),
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


def votes(studio: Studio, chat_id: int) -> dict[int, Vote]:
    """The vote that counts for each round of a conversation that has one."""
    with studio.db.read() as session:
        query = select(Vote).join(ChatRound).where(ChatRound.chat_id == chat_id, _COUNTS)
        return {vote.round_id: vote for vote in session.scalars(query)}


def preference_records(studio: Studio) -> list[dict[str, Any]]:
    """``prompt``, ``chosen``, ``rejected`` of every vote that counts and prefers one answer, oldest first.

    Answers that were voted on before they were complete are left out.
    """
    with studio.db.read() as session:
        query = select(Vote.record).where(_PREFERS).order_by(Vote.id)
        records = session.scalars(query).all()
    fields = ("prompt", "chosen", "rejected")
    return [{name: record[name] for name in fields} for record in records if not record["incomplete"]]


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


_COUNTS = Vote.superseded_by_id.is_(None)
_PREFERS = _COUNTS & Vote.verdict.in_(("a", "b"))
