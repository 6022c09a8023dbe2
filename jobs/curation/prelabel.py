"""Pairs of a labelling project judged in advance, each in both orders; a verdict counts only if both agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from jobs.curation.answering import Answers, local, named_service
from jobs.curation.pairs import Pair, read
from jobs.curation.telling import told_before
from jobs.generation.answering import Engine, Question
from jobs.generation.engines.service import ServiceEngine
from studio_core.curation.base import Work
from studio_core.data.shapes import question_text
from studio_core.generation import judging
from studio_core.generation.answer_jobs import JudgeSpec
from studio_core.generation.asking import Answer
from studio_core.generation.sampling import greedy

BATCH = 16
"""Pairs that are judged before their verdicts are told."""
TOKENS = 1024
"""Of a reply: some think before they judge."""
ORDERS = ((0, 1), (1, 0))
_SAYS = {"first": 0, "second": 1}


def run(work: Work, options: dict[str, Any]) -> None:
    asked = JudgeSpec.model_validate(options)
    told = told_before(work.resumed, "verdict")
    if work.models_of("reward_model"):
        # Only here: torch takes seconds to load.
        from jobs.curation.reward_judge import judge

        return judge(work, asked, told)
    unreadable = 0

    def report(done: int, total: int | None, figures: dict[str, float]) -> None:
        work.report(done, total, {**figures, "unreadable": float(unreadable)})

    answers = Answers(
        replace(work, report=report), _engine(work, asked), greedy(TOKENS), _readable, in_parts=True
    )
    total, done = 2 * sum(1 for _ in read(Path(asked.items))), 2 * len(told)
    pairs = (pair for pair in read(Path(asked.items)) if pair.row not in told)
    while not work.stopping() and (batch := list(islice(pairs, BATCH))):
        questions = [question for pair in batch for question in _questions(pair, asked.rubric)]
        answers.fetch(iter(questions), total, done)
        done += len(questions)
        for pair in batch:
            unreadable += not _tell(
                work, pair, [answers(question) for question in _questions(pair, asked.rubric)]
            )
    answers.check()


def _engine(work: Work, asked: JudgeSpec) -> Engine:
    if "model" in work.models:
        return local(work, "model")
    return ServiceEngine(named_service(work, asked.service))


def _questions(pair: Pair, rubric: str) -> list[Question]:
    text = question_text(pair.prompt)
    return [
        Question(judging.comparison(text, pair.answers[left], pair.answers[right], rubric))
        for left, right in ORDERS
    ]


def _readable(answer: Answer) -> bool:
    return judging.choice(answer.text) is not None


def _tell(work: Work, pair: Pair, replies: Sequence[Answer | None]) -> bool:
    """The verdict by the item's own places, a tie if it hangs on the order; whether there was one to read.

    Older judges could not say that both are bad: their verdicts lack ``may_say_both_bad``.
    """
    if any(reply is None for reply in replies):
        return True  # Asked again when the job goes on.
    choices = [judging.choice(reply.text) for reply in replies if reply is not None]
    if any(choice is None for choice in choices):
        work.tell("verdict", row=pair.row, item=pair.item, dropped="unreadable")
        return False
    said = [
        "ab"[order[_SAYS[choice]]] if choice in _SAYS else choice
        for order, choice in zip(ORDERS, choices, strict=True)
    ]
    verdict = said[0] if said[0] == said[1] else "tie"
    work.tell("verdict", row=pair.row, item=pair.item, verdict=verdict, said=said, may_say_both_bad=True)
    return True
