"""Keep the records that a judge thinks well of."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jobs.curation.answering import Answers, engine, readable
from jobs.curation.distribution import distribution
from jobs.curation.thresholds import least_kept
from jobs.generation.answering import Question
from studio_core.curation import parts
from studio_core.curation.base import Work
from studio_core.curation.judge import SCORE, JudgeOptions
from studio_core.data.shapes import Record
from studio_core.generation import judging


def run(work: Work, options: JudgeOptions) -> None:
    judge = Answers(work, engine(work, options), options.sampling(work.seed), readable)
    judge.fetch((question for _, _, question in _questions(work, options)), work.source.rows)
    scores = np.full(work.source.rows + 1, np.nan, np.float32)
    for row, _, question in _questions(work, options):
        reply = judge(question)
        score = judging.score(reply.text) if reply else None
        scores[row] = np.nan if score is None else score
    known = scores[~np.isnan(scores)]
    # A least score of 0 keeps all.
    least = least_kept(known, options.min_score or None, options.keep_top)
    columns = work.source.kept
    keep = list(dict.fromkeys([*columns, SCORE])) if options.keep_scores else columns
    kept = work.output(keep=keep)
    for row, record, question in _questions(work, options):
        score = float(scores[row])
        if np.isnan(score):
            work.drop("unjudged" if judge(question) is None else "unreadable_score")
        elif least is not None and score < least:
            work.drop("low_score")
        else:
            kept.add({**record, SCORE: f"{score:g}"} if options.keep_scores else record, row)
            work.count("kept")
    work.details["distribution"] = distribution(
        {"score": known}, threshold=least, low=judging.LOWEST, high=judging.HIGHEST
    )


def _questions(work: Work, options: JudgeOptions) -> Iterator[tuple[int, Record, Question]]:
    for row, record in enumerate(work.source.records(), start=1):
        asked = "" if "text" in record else parts.prompt_of(record)
        answer = "\n".join(parts.texts(record, ["answer"]))
        yield row, record, Question(judging.question(asked, answer, options.rubric))
