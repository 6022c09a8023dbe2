r"""A reward model from scores: each answer has one from 1 to 10, and it learns to give the same.

    loss = (s - (score - 5.5) / 3) ** 2

``s`` is the model's output at the last token; what it means as a score, 5.5 + 3 s, is written into the model's
config, and whatever scores with it speaks in scores again. As in HelpSteer (Wang et al. 2023, arXiv:2311.09528), whose
people graded single answers; grades say how good an answer is, pairs only which is better.

Watch: the mean absolute error on held-out answers, in scores, beside that of always saying the mean (2.5 if all
scores are equally frequent); and the rank correlation, for that is what choosing the best answer needs.
What goes wrong: graders who mean different things by a 7; scores that are nearly all 8 or 9, so that the mean is hard
to beat; answers cut at the end, where the score is read (they are left out).

    python -m jobs.training.reward_regression --model static/models/tiny-chat --data SCORED.jsonl --out /tmp/scores

with lines such as {"prompt": "What is 2 + 3?", "completion": "5", "score": 9}.

spec -> model with one output -> data -> trainer -> train -> save
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from scipy.stats import spearmanr

from jobs.training import alone
from jobs.training.course import Course
from jobs.training.data import Count, Prepared, Row, sequences, split
from jobs.training.scoring import (
    Batch,
    Figures,
    ScorerTrainer,
    begun,
    measured,
    padded_batch,
    spread_of,
    trainer,
    whole,
)
from studio_core.data.chat_format import ChatFormat
from studio_core.methods.common import TrainingOptions
from studio_core.methods.reward import ScorerOptions
from studio_core.methods.reward_regression import MIDDLE, UNIT
from studio_core.runs.spec import RunSpec


def rows(run: RunSpec, options: TrainingOptions, chat: ChatFormat) -> Prepared:
    """Columns ``input_ids``, prompt and answer, and ``score``; answers that do not fit are left out whole."""
    count = Count()
    for record, [made], cut in sequences(run, options, chat):
        fits = len(made.ids) <= options.max_length
        count.cut += cut and fits
        count.keep({"input_ids": made.ids, "score": record["score"]}, fits)
    return split(run, options, count, lambda row: len(row["input_ids"]))


@dataclass
class ScoredAnswers:
    """Makes batches of rows: ``scores`` beside the tokens, (rows,)."""

    pad: int

    def __call__(self, rows: list[Row]) -> Batch:
        scores = torch.tensor([row["score"] for row in rows], dtype=torch.float)
        return {**padded_batch([row["input_ids"] for row in rows], self.pad), "scores": scores}


class RegressionTrainer(ScorerTrainer):
    def objective(self, scores: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, Figures]:
        gap = scores - (batch["scores"] - MIDDLE) / UNIT
        return (gap**2).mean(), {"mae": UNIT * gap.abs().mean(), **spread_of(MIDDLE + UNIT * scores)}


def main(run_dir: Path) -> None:
    course = Course.begin(run_dir, ScorerOptions)
    model = begun(course)
    # Whatever scores with the model reads it there; see ``jobs/generation/scoring.py``.
    model.config.update({"score_middle": MIDDLE, "score_unit": UNIT})

    course.events.write("phase", phase="preparing")
    data = course.data(rows)
    training = trainer(course, RegressionTrainer, model, data, ScoredAnswers(course.tokenizer.pad_token_id))
    course.train(training, data)
    # Counted on the model as it is saved: merging an adapter rounds, and that is what will score.
    scorer = whole(course, training)
    if data.held_out is not None and not course.stop:
        tell_error(course, training, scorer, data.held_out)
    course.save(training, scorer)


def tell_error(course: Course[ScorerOptions], training: Any, scorer: Any, answers: Dataset) -> None:
    """Say how far its scores are from those of answers that it never saw, and whether it ranks them alike."""
    given: list[float] = []
    for _, scores in measured(course, training, scorer, answers):
        given += (MIDDLE + UNIT * scores).tolist()
    if len(given) < len(answers):
        return
    wanted, said = np.array(answers["score"]), np.array(given)
    errors = np.abs(said - wanted)
    error = 1.96 * errors.std(ddof=1) / len(errors) ** 0.5 if len(errors) > 1 else float("nan")
    values = {
        "rows": len(errors),
        "mae": f"{errors.mean():.2f}",
        "error": f"{error:.2f}",
        # What always saying the mean of these very scores would come to: a scorer must do better.
        "mean": f"{np.abs(wanted - wanted.mean()).mean():.2f}",
        "correlation": f"{spearmanr(said, wanted).statistic:.2f}" if np.ptp(said) and np.ptp(wanted) else "-",
    }
    course.events.write("notice", level="info", key="methods.notice.score_error", values=values)


if __name__ == "__main__":
    alone.run("reward-regression", main)
