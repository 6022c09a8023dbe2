"""Items of a test set whose answers a reward model scores: the model writes, then all its answers are scored."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from jobs.curation.answering import Answers
from jobs.curation.reward_model import Item, RewardScores
from jobs.evaluation import writing
from jobs.evaluation.questions import Questions
from studio_core.curation.base import Work
from studio_core.data.shapes import Message
from studio_core.evaluation.items_file import AnsweredItem


def answered(work: Work, answers: Answers, questions: Questions, done: int, total: int) -> list[AnsweredItem]:
    """All items with the score of each answer, on the scale of the model ``reward_model`` of the work.

    An answer that was not written, or that the model could not read, has no value.
    """
    rows = writing.answered(answers, questions, done, total)
    scores = RewardScores(work)

    def each() -> Iterator[Item]:
        for row in rows:
            for answer in row.answers:
                if answer.strip():
                    yield _conversation(row), answer

    scores.fetch(each, total, done + questions.asked)
    return [_scored(row, scores) for row in rows]


def _conversation(row: AnsweredItem) -> list[Message]:
    return [{"role": message["role"], "content": message["content"]} for message in row.prompt]


def _scored(row: AnsweredItem, scores: RewardScores) -> AnsweredItem:
    given = [scores(_conversation(row), answer) if answer.strip() else None for answer in row.answers]
    values = tuple(math.nan if score is None else score.value for score in given)
    known = any(math.isfinite(value) for value in values)
    return replace(row, values=values, reason="" if known else "unanswered", readable=known)
