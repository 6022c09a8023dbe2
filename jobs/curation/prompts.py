"""Records as questions, and answers as they may be kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from jobs.generation.answering import Question
from studio_core.curation.asking import asked_of, with_system
from studio_core.curation.base import Work
from studio_core.data.shapes import Message, Record
from studio_core.generation.asking import Answer


def asked_records(work: Work, system: str, *, count: bool = False) -> Iterator[tuple[int, Record, Question]]:
    """``(row, record, question)`` of those that ask something; with ``count`` the others are counted."""
    for row, record in enumerate(work.source.records(), start=1):
        messages = asked_of(record)
        if any(one["role"] != "system" for one in messages):
            yield row, record, Question(with_system(messages, system))
        elif count:
            work.drop("no_prompt")


def several(question: Question, k: int) -> list[Question]:
    """The same question, to be answered so many times."""
    return [replace(question, which=which) for which in range(k)]


def stored_prompt(record: Record, question: Question, keep_system: bool) -> list[Message]:
    """The prompt as the new record has it: with the system prompt that was asked with, or with its own."""
    return question.messages if keep_system else asked_of(record)


def usable(work: Work, answer: Answer | None, drop_truncated: bool) -> str | None:
    """The text of an answer that can be trained on; else None, and why is counted."""
    if answer is None:
        work.drop("unanswered")
    elif not answer.text.strip():
        work.drop("empty_answer")
    elif drop_truncated and answer.reason == "length":
        work.drop("truncated")
    else:
        return answer.text.strip()
    return None
