"""Answers for the prompts of a dataset, from a stronger model."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.curation.answering import Answers, maker
from jobs.curation.makers import Question
from studio_core.curation.asking import answered, asked_of, with_system
from studio_core.curation.base import Work
from studio_core.curation.distill import DistillOptions
from studio_core.data.shapes import Message, Record, Shape
from studio_core.reports.answers import is_refusal


def run(work: Work, options: DistillOptions) -> None:
    answers = Answers(work, maker(work, options, options.sampling(work.seed)))
    answers.fetch((question for _, question in _questions(work, options)), work.source.rows)
    shape = Shape(options.shape)
    made = work.output(shape, keep=[])
    for record, question in _questions(work, options):
        answer = answers(question)
        text = answer.text.strip() if answer else ""
        if answer is None:
            work.count("unanswered")
        elif not text:
            work.count("empty")
        elif options.drop_truncated and answer.reason == "length":
            work.count("truncated")
        elif options.drop_refusals and is_refusal(text):
            work.count("refused")
        else:
            prompt: list[Message] = question.messages if options.keep_system else asked_of(record)
            made.add(answered(prompt, text, shape))
            work.count("made")


def _questions(work: Work, options: DistillOptions) -> Iterator[tuple[Record, Question]]:
    """Those of all records that ask something."""
    for record in work.source.records():
        messages = asked_of(record)
        if messages:
            yield record, Question(with_system(messages, options.system))
