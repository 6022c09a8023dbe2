r"""A reward model: one number for an answer, higher for what people chose (Bradley and Terry 1952; arXiv:2203.02155).

    loss = - log sigmoid(score(chosen) - score(rejected) - margin * m) + center * (score(chosen) + score(rejected)) ** 2

The language model gets one new output in place of those for words, read at the last token. Only differences of
scores mean something; the second term (Eisenstein et al. 2023, arXiv:2312.09244) keeps them around 0, so that
answers to different prompts can be compared. ``m`` says by how much the chosen answer is better (Llama 2,
arXiv:2307.09288): a column ``margin``, or the difference of two columns such as ``chosen_score`` and
``rejected_score``, divided by 9, so that the widest gap of scores from 1 to 10 is 1.

Watch: the accuracy on held-out pairs, which is said at the end with its interval. 50 % is chance; on open questions
people themselves agree far less than always, and a model that ranks nearly all of those right has found a shortcut.
What goes wrong: it learns that longer is better; pairs cut at the end, where the score is read (they are left out);
few pairs, learnt by heart in a second epoch; a margin so large that easy pairs are all that is learnt.

    python -m jobs.training.reward --model static/models/tiny-chat \
        --data static/samples/identity-pairs.jsonl --out /tmp/reward --set eval_share=0.2

spec -> model with one output -> data -> trainer -> train -> save
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasets import Dataset
from trl import RewardTrainer
from trl.trainer.reward_trainer import DataCollatorForPreference

from jobs.training import alone
from jobs.training.course import Course
from jobs.training.data import Count, Prepared, sequences, split
from jobs.training.grouping import GroupedByLength, OnTokens
from jobs.training.scoring import begun, measured, trainer, whole
from jobs.training.step_mean import StepMean
from studio_core.base.errors import BadInput
from studio_core.data.chat_format import ChatFormat
from studio_core.data.columns import number
from studio_core.data.mapping import GRADES, MARGINS
from studio_core.data.shapes import HIGHEST_SCORE, LOWEST_SCORE, Record
from studio_core.methods.reward import RewardOptions
from studio_core.runs.spec import RunSpec
from studio_core.statistics.winrate import wilson


class GroupedRewardTrainer(OnTokens, GroupedByLength, StepMean, RewardTrainer):  # type: ignore[misc]
    """TRL's trainer, with pairs of like length in one batch, on datasets that are tokens already."""


def rows(run: RunSpec, options: RewardOptions, chat: ChatFormat) -> Prepared:
    """Columns ``chosen_ids`` and ``rejected_ids``, each with its prompt; pairs that do not fit are left out whole.

    A score is given at the end of an answer: without its end there is nothing to score. With ``options.margin``
    there is a column ``margin``.
    """
    count = Count()
    for record, sides, cut in sequences(run, options, chat):
        if count.is_alike(sides, options.max_length):
            continue
        fits = max(len(side.ids) for side in sides) <= options.max_length
        count.cut += cut and fits
        row = {f"{side.part}_ids": side.ids for side in sides}
        if options.margin:
            row["margin"] = options.margin * how_much_better(run, record)
        count.keep(row, fits)
    return split(run, options, count, lambda row: len(row["chosen_ids"]) + len(row["rejected_ids"]))


def how_much_better(run: RunSpec, record: Record) -> float:
    """What a pair says of the gap between its sides; 0 where its cells are empty. Raises if it has no such columns."""
    for name in MARGINS:
        if name in record:
            return number(record[name]) or 0.0
    for better, worse in GRADES:
        if better in record and worse in record:
            first, second = number(record[better]), number(record[worse])
            known = first is not None and second is not None
            return (first - second) / (HIGHEST_SCORE - LOWEST_SCORE) if known else 0.0  # type: ignore[operator]
    columns = ", ".join([*MARGINS, *(" + ".join(pair) for pair in GRADES)])
    raise BadInput("methods.reward.no_margin", dataset=run.dataset.name, columns=columns)


def main(run_dir: Path) -> None:
    course = Course.begin(run_dir, RewardOptions)
    model = begun(course)

    course.events.write("phase", phase="preparing")
    data = course.data(rows)
    collator = DataCollatorForPreference(pad_token_id=course.tokenizer.pad_token_id)
    center = {"center_rewards_coefficient": course.options.center or None}
    training = trainer(course, GroupedRewardTrainer, model, data, collator, **center)
    course.train(training, data)
    # Counted on the model as it is saved: merging an adapter rounds, and that is what will score.
    scorer = whole(course, training)
    if data.held_out is not None and not course.stop:
        tell_ranked_right(course, training, scorer, data.held_out)
    course.save(training, scorer)


def tell_ranked_right(course: Course[RewardOptions], training: Any, scorer: Any, pairs: Dataset) -> None:
    """Say how many of the pairs that it never saw the model that is saved ranks right, and what that is worth."""
    right = seen = 0
    for some, scores in measured(course, training, scorer, pairs):
        # The collator puts the chosen answers first, then the rejected ones in the same order.
        better, worse = scores.chunk(2)
        right, seen = right + int((better > worse).sum()), seen + len(some)
    if seen < len(pairs):
        return
    low, high = wilson(right / len(pairs), len(pairs))
    share = {
        "share": f"{100 * right / len(pairs):.0f}",
        "low": f"{100 * low:.0f}",
        "high": f"{100 * high:.0f}",
    }
    values = {"right": right, "rows": len(pairs), **share}
    course.events.write("notice", level="info", key="methods.notice.ranked_right", values=values)


if __name__ == "__main__":
    alone.run("reward", main)
