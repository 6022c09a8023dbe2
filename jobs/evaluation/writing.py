"""Items that are answered in words: asked turn by turn, each answer scored by the suite's rule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from jobs.curation.answering import Answers
from jobs.evaluation.questions import Questions
from jobs.generation.answering import Question
from studio_core.base.errors import StudioError
from studio_core.data.shapes import Message
from studio_core.evaluation.items_file import AnsweredItem
from studio_core.generation.asking import Answer
from studio_core.generation.sampling import Sampling
from studio_core.suites import Item, Suite, Verdict


def sampling_of(suite: Suite, seed: int) -> Sampling:
    """How a suite's answers are drawn."""
    return Sampling(
        temperature=suite.temperature, top_p=1.0, max_tokens=suite.max_tokens, stop=suite.stop, seed=seed
    )


@dataclass
class Attempt:
    """One of the answers drawn to an item, with all its turns."""

    item: Item
    which: int
    conversation: list[Message]
    turns: list[Answer] = field(default_factory=list)
    failed: bool = False

    def question(self) -> Question:
        return Question(self.conversation, self.which)


def answered(answers: Answers, questions: Questions, done: int, total: int) -> list[AnsweredItem]:
    """All items with their answers and what these are worth; shorter if the user stops.

    ``done`` of ``total`` answers of the whole job are there before these.
    """
    suite = questions.suite
    attempts = [
        Attempt(item, which, [*item.messages]) for item in questions.items for which in range(suite.samples)
    ]
    for turn in range(1 + max(len(item.follow_ups) for item in questions.items)):
        open_ = [each for each in attempts if not each.failed and turn <= len(each.item.follow_ups)]
        for attempt in open_ if turn else ():
            attempt.conversation = [*attempt.conversation, *_next(attempt, turn)]
        answers.fetch((attempt.question() for attempt in open_), total, done)
        done += len(open_)
        for attempt in open_:
            answer = answers(attempt.question())
            attempt.failed = answer is None
            if answer is not None:
                attempt.turns.append(answer)
    by_item = [attempts[start : start + suite.samples] for start in range(0, len(attempts), suite.samples)]
    return [scored(suite, each) for each in by_item]


def _next(attempt: Attempt, turn: int) -> list[Message]:
    return [
        {"role": "assistant", "content": attempt.turns[-1].text},
        {"role": "user", "content": attempt.item.follow_ups[turn - 1]},
    ]


def scored(suite: Suite, attempts: Sequence[Attempt]) -> AnsweredItem:
    """What the answers to one item are worth; the reason is that of the first one that is not right."""
    item = attempts[0].item
    verdicts = [verdict(suite, attempt) for attempt in attempts]
    told = next((each for each in verdicts if not each.value >= 1), verdicts[0])
    turns = [turn for attempt in attempts for turn in attempt.turns]
    return AnsweredItem(
        item=item.id,
        kind=item.kind,
        cluster=item.cluster,
        prompt=[dict(message) for message in attempts[0].conversation],
        key=item.key,
        answers=tuple(attempt.turns[-1].text if attempt.turns else "" for attempt in attempts),
        values=tuple(each.value for each in verdicts),
        reason=told.reason,
        reason_values=dict(told.values),
        readable=all(each.readable for each in verdicts),
        truncated=any(turn.reason == "length" for turn in turns),
        tokens=sum(turn.tokens_out for turn in turns) / len(turns) if turns else math.nan,
    )


def verdict(suite: Suite, attempt: Attempt) -> Verdict:
    """What one answer is worth. A rule that cannot judge it says why, and no other item suffers from it."""
    if attempt.failed:
        return Verdict(math.nan, "unanswered", readable=False)
    try:
        return suite.score(attempt.item, attempt.turns[-1].text.strip())
    except StudioError as error:
        return Verdict(math.nan, "not_scored", _told(error.sentence()), readable=False)
    except Exception as error:  # Whatever a pattern or a library may raise of a model's text.
        return Verdict(math.nan, "not_scored", _told(f"{type(error).__name__}: {error}"), readable=False)


def _told(reason: str) -> dict[str, Any]:
    return {"reason": reason[:300]}
