"""Answers for the prompts of a dataset, from a stronger model."""

from __future__ import annotations

from jobs.curation.answering import Answers, engine
from jobs.curation.prompts import asked_records, stored_prompt, usable
from studio_core.curation.asking import answered
from studio_core.curation.base import Work
from studio_core.curation.distill import DistillOptions
from studio_core.data.shapes import Shape
from studio_core.reports.answers import is_refusal


def run(work: Work, options: DistillOptions) -> None:
    answers = Answers(work, engine(work, options), options.sampling(work.seed))
    answers.fetch((question for _, _, question in asked_records(work, options.system)), work.source.rows)
    made = work.output(Shape(options.shape), keep=[])
    for row, record, question in asked_records(work, options.system, count=True):
        text = usable(work, answers(question), options.drop_truncated)
        if text is None:
            continue
        if options.drop_refusals and is_refusal(text):
            work.drop("refusal")
            continue
        prompt = stored_prompt(record, question, options.keep_system)
        made.add(answered(prompt, text, made.shape), row)
        work.count("kept")
