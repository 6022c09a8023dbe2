"""Pairs of what a model answers and what it should have answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from jobs.curation.answering import Answers, engine
from jobs.curation.prompts import asked_records, stored_prompt, usable
from jobs.generation.answering import Question
from studio_core.curation.base import Work
from studio_core.curation.correct import CorrectOptions, corrections, rewriting
from studio_core.data.shapes import Shape, question_text

Corrected = Callable[[Question, str], str | None]
"""The corrected answer to a question; None if there is none, and why has been counted."""


def run(work: Work, options: CorrectOptions) -> None:
    own = Answers(work, engine(work, options), options.sampling(work.seed))
    rewritten = options.by == "rewrite"
    total = work.source.rows * (2 if rewritten else 1)
    own.fetch((question for _, _, question in asked_records(work, options.system)), total)
    corrected = _by_rewriting(work, options, own, total) if rewritten else _by_rules(options)
    pairs = work.output(Shape.PREFERENCE, keep=[])
    for row, record, question in asked_records(work, options.system, count=True):
        rejected = usable(work, own(question), options.drop_truncated)
        chosen = None if rejected is None else corrected(question, rejected)
        if rejected is None or chosen is None:
            continue
        if chosen == rejected:
            work.drop("unchanged")
            continue
        pairs.add(
            {
                "prompt": stored_prompt(record, question, options.keep_system),
                "chosen": [{"role": "assistant", "content": chosen}],
                "rejected": [{"role": "assistant", "content": rejected}],
            },
            row,
        )
        work.count("kept")


def _by_rules(options: CorrectOptions) -> Corrected:
    rules = corrections(options)

    def corrected(_: Question, answer: str) -> str:
        for rule in rules:
            answer = rule(answer)
        return answer.strip()

    return corrected


def _by_rewriting(work: Work, options: CorrectOptions, own: Answers, total: int) -> Corrected:
    editor = Answers(
        work, engine(work, options, "editor_model", "editor_service"), options.editing(work.seed)
    )

    def rewrite(question: Question, answer: str) -> Question:
        return Question(rewriting(question_text(question.messages), answer, options.instruction))

    def questions() -> Iterator[Question]:
        for _, _, question in asked_records(work, options.system):
            answer = own(question)
            if answer is not None and answer.text.strip():
                yield rewrite(question, answer.text.strip())

    editor.fetch(questions(), total, done=work.source.rows)
    return lambda question, answer: usable(work, editor(rewrite(question, answer)), options.drop_truncated)
