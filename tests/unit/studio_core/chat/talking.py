"""Conversations whose answers are written down by the tests themselves."""

from __future__ import annotations

from typing import Any

from studio_core.base.studio import Studio
from studio_core.base.tables import Chat, ChatRound
from studio_core.chat import chats
from studio_core.chat.chat_answers import Answer
from studio_core.chat.chats import ChatSettings

PLAIN = ChatSettings()


def done(text: str, state: str = "stop") -> dict[str, Any]:
    return {"answer": text, "tokens": len(text), "seconds": 0.5, "state": state}


def answered(
    studio: Studio, chat: Chat, prompt: str, *texts: str, settings: ChatSettings = PLAIN, state: str = "stop"
) -> ChatRound:
    """A round with these answers."""
    row = chats.add_round(studio, chat, prompt, settings)
    answers: list[Answer] = [{**a, **done(t, state)} for a, t in zip(row.answers, texts, strict=True)]  # type: ignore[typeddict-item]
    chats.save_answers(studio, row.id, answers)
    return chats.get_round(studio, row.id)
