r"""A process reward model: is each step of a solution right? (Lightman et al. 2023, arXiv:2305.20050)

    loss = mean over steps of - [ y log sigmoid(s) + (1 - y) log(1 - sigmoid(s)) ],  s read at a step's last token

One pass reads all steps of a solution, since a token sees only what stands before it. Steps are joined by line breaks.
The result is a reward model as any other: its score of a whole answer is that of the last step, and of a part of one
that of the last step of the part. ``jobs/generation/step_scoring.py`` reads all steps and makes one number of them: the
least, the product, the mean or the last of their chances.

Labels come from people (PRM800K), from a checker, or from completions drawn from each step (Math-Shepherd,
arXiv:2312.08935): a step is right if some of them end well, which forgives a wrong step that can be mended.

Watch: accuracy beside the share of the more frequent label, for most steps are right and saying so always is a good
score already; and the untrained baseline, which is said at the end: a step is called wrong if its least likely token
has too small a chance under the base model, with the threshold that does best on the training data.
What goes wrong: a small model stays at the more frequent label; labels of steps after the first error, which say
little; a base model that knows the answers better than its own scores do.

    python -m jobs.training.process_reward --model static/models/tiny-chat --data STEPS.jsonl --out /tmp/steps

with lines such as {"prompt": "7 + 5 + 1?", "completions": ["7 + 5 = 12", "12 + 1 = 14"], "labels": [true, false]}.

untrained baseline -> model with one output -> data -> trainer -> train -> save
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch.nn.functional import binary_cross_entropy_with_logits
from transformers import AutoConfig

from jobs.generation.scoring import token_outputs
from jobs.generation.step_scoring import step_places
from jobs.training import alone
from jobs.training.course import Course
from jobs.training.data import Count, Prepared, Row, sequences, split
from jobs.training.loading import load_model
from jobs.training.scoring import Batch, Figures, ScorerTrainer, begun, measured, padded_batch, trainer, whole
from studio_core.data.chat_format import ChatFormat
from studio_core.methods.common import TrainingOptions
from studio_core.methods.reward import ScorerOptions
from studio_core.runs.spec import RunSpec
from studio_core.statistics.winrate import wilson

LOOKED_AT = 500
"""Solutions of the training data by which the baseline's threshold is chosen."""


def rows(run: RunSpec, options: TrainingOptions, chat: ChatFormat) -> Prepared:
    """Columns ``input_ids``, ``step_starts`` and ``step_ends`` (places of first and last tokens), ``steps_learnt``
    (the labels)."""
    count = Count()
    for record, [made], cut in sequences(run, options, chat):
        fits = len(made.ids) <= options.max_length
        count.cut += cut and fits
        starts, ends = step_places(record["completions"], made)
        row = {
            "input_ids": made.ids,
            "step_starts": starts,
            "step_ends": ends,
            "steps_learnt": record["labels"],
        }
        count.keep(row, fits)
    return split(run, options, count, lambda row: len(row["input_ids"]))


@dataclass
class LabelledSteps:
    """Makes batches of solutions: of each of their steps its ``row``, its ``place`` and whether it is ``right``."""

    pad: int

    def __call__(self, rows: list[Row]) -> Batch:
        counts = torch.tensor([len(row["step_ends"]) for row in rows])
        return {
            **padded_batch([row["input_ids"] for row in rows], self.pad),
            "row": torch.arange(len(rows)).repeat_interleave(counts),
            "place": torch.tensor([place for row in rows for place in row["step_ends"]]),
            "right": torch.tensor([float(right) for row in rows for right in row["steps_learnt"]]),
        }


def step_scores(model: Any, batch: Batch) -> torch.Tensor:
    """The score of each step of a batch, (steps,)."""
    by_token = token_outputs(model, batch["input_ids"], batch["attention_mask"]).float()
    return by_token[batch["row"], batch["place"]]


class ProcessTrainer(ScorerTrainer):
    read = staticmethod(step_scores)

    def rows_in(self, batch: Batch) -> int:
        return len(batch["right"])

    def objective(self, scores: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, Figures]:
        right = batch["right"]
        share = right.mean()
        figures = {
            "accuracy": ((scores > 0) == right.bool()).float().mean(),
            "most_frequent": torch.maximum(share, 1 - share),
        }
        return binary_cross_entropy_with_logits(scores, right), figures


def main(run_dir: Path) -> None:
    course = Course.begin(run_dir, ScorerOptions)
    course.events.write("phase", phase="preparing")
    data = course.data(rows)
    untrained = Baseline.of(course, data)
    model = begun(course)

    training = trainer(course, ProcessTrainer, model, data, LabelledSteps(course.tokenizer.pad_token_id))
    course.train(training, data)
    # Counted on the model as it is saved: merging an adapter rounds, and that is what will score.
    scorer = whole(course, training)
    if data.held_out is not None and not course.stop:
        tell_steps_right(course, training, scorer, data.held_out, untrained)
    course.save(training, scorer)


@dataclass(frozen=True)
class Verdicts:
    """What was said of the steps of solutions, beside what is so."""

    steps: float
    """Share of steps judged right."""
    solutions: int
    """Of which the first wrong step was found, or that there is none."""

    @classmethod
    def of(cls, labels: Iterable[list[bool]], judged: Iterable[list[bool]]) -> Verdicts:
        pairs = [*zip(labels, judged, strict=True)]
        steps = [a == b for wanted, said in pairs for a, b in zip(wanted, said, strict=True)]
        found = sum(_first_wrong(wanted) == _first_wrong(said) for wanted, said in pairs)
        return cls(sum(steps) / len(steps), found)


def _first_wrong(steps: list[bool]) -> int:
    return steps.index(False) if False in steps else len(steps)


@dataclass(frozen=True)
class Baseline:
    """What the base model's own probabilities say of held-out steps, without any training."""

    threshold: float
    verdicts: Verdicts

    @classmethod
    def of(cls, course: Course[ScorerOptions], data: Prepared) -> Baseline | None:
        """None where nothing is held out, on several ranks, and for a base that writes nothing itself."""
        config = AutoConfig.from_pretrained(
            course.run.model.path, trust_remote_code=course.run.model.trust_remote_code
        )
        scores_only = str((config.architectures or [""])[0]).endswith("ForSequenceClassification")
        if data.held_out is None or scores_only or course.team.size > 1:
            return None
        model = load_model(course.run, course.machine).eval()
        some = data.train.select(range(min(LOOKED_AT, len(data.train))))
        seen = [least_likely(course, model, row) for row in some]
        unseen = [least_likely(course, model, row) for row in data.held_out]
        flat, labels = np.concatenate(seen), np.concatenate([np.array(row) for row in some["steps_learnt"]])
        # Above it a step is right. Every chance that was met is tried, and that below all of them.
        threshold = max([0.0, *np.unique(flat)], key=lambda value: float(((flat > value) == labels).mean()))
        judged = [(chances > threshold).tolist() for chances in unseen]
        return cls(float(threshold), Verdicts.of(data.held_out["steps_learnt"], judged))


@torch.inference_mode()
def least_likely(
    course: Course[ScorerOptions], model: Any, row: Row
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Of each step of a solution the chance of its least likely token."""
    ids = torch.tensor([row["input_ids"]], device=model.device)
    with course.machine.autocast():
        logits = model(input_ids=ids).logits[0, :-1].float()
    chances = logits.log_softmax(-1).gather(-1, ids[0, 1:, None])[:, 0].exp().cpu().numpy()
    # The chance of a token stands one place before it, where it was predicted.
    spans = zip(row["step_starts"], row["step_ends"], strict=True)
    return np.array([chances[start - 1 : end].min() for start, end in spans], dtype=np.float64)


def tell_steps_right(
    course: Course[ScorerOptions], training: Any, scorer: Any, solutions: Dataset, untrained: Baseline | None
) -> None:
    """Say how often the first wrong step of a solution that it never saw is found, beside the untrained baseline."""
    judged: list[list[bool]] = []
    for some, scores in measured(course, training, scorer, solutions, step_scores):
        parts = scores.split([len(row["step_ends"]) for row in some])
        judged += [(part > 0).tolist() for part in parts]
    if len(judged) < len(solutions):
        return
    labels = solutions["steps_learnt"]
    made = Verdicts.of(labels, judged)
    low, high = wilson(made.solutions / len(judged), len(judged))
    share = sum(map(sum, labels)) / sum(map(len, labels))
    values = {
        "right": made.solutions,
        "rows": len(judged),
        "low": f"{100 * low:.0f}",
        "high": f"{100 * high:.0f}",
        "steps": f"{100 * made.steps:.0f}",
        "frequent": f"{100 * max(share, 1 - share):.0f}",
        "untrained": "-" if untrained is None else untrained.verdicts.solutions,
        "untrained_steps": "-" if untrained is None else f"{100 * untrained.verdicts.steps:.0f}",
        "chance": "-" if untrained is None else f"{untrained.threshold:.2g}",
    }
    course.events.write("notice", level="info", key="methods.notice.first_error", values=values)


if __name__ == "__main__":
    alone.run("process-reward", main)
