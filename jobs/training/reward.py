r"""A reward model: one number for an answer, higher for what people chose (Bradley and Terry 1952; arXiv:2203.02155).

    loss = - log sigmoid(score(chosen) - score(rejected)) + center * (score(chosen) + score(rejected)) ** 2

The language model gets one new output in place of those for words, read at the last token. Only differences of
scores mean something; the second term (Eisenstein et al. 2023, arXiv:2312.09244) keeps them around 0, so that
answers to different prompts can be compared.

Watch: the accuracy on held-out pairs, which is said at the end with its interval. 50 % is chance; on open questions
people themselves agree far less than always, and a model that ranks nearly all of those right has found a shortcut.
What goes wrong: it learns that longer is better; pairs cut at the end, where the score is read (they are left out);
few pairs, learnt by heart in a second epoch.

    python -m jobs.training.reward --model static/models/tiny-chat \
        --data static/samples/identity-pairs.jsonl --out /tmp/reward --set eval_share=0.2

spec -> model with one output -> data -> trainer -> train -> save
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from trl import RewardConfig, RewardTrainer

from jobs.training import alone
from jobs.training.course import Course
from jobs.training.data import Count, Prepared, sequences, split
from jobs.training.grouping import GroupedByLength, OnTokens
from jobs.training.loading import load_scorer, needs_checkpointing, new_adapter
from jobs.training.step_mean import StepMean
from studio_core.base.errors import BadInput
from studio_core.data.chat_format import ChatFormat
from studio_core.methods.common import TrainingOptions
from studio_core.methods.reward import RewardOptions
from studio_core.runs.spec import RunSpec
from studio_core.statistics.winrate import wilson


class GroupedRewardTrainer(OnTokens, GroupedByLength, StepMean, RewardTrainer):  # type: ignore[misc]
    """TRL's trainer, with pairs of like length in one batch, on datasets that are tokens already."""


def rows(run: RunSpec, options: TrainingOptions, chat: ChatFormat) -> Prepared:
    """Columns ``chosen_ids`` and ``rejected_ids``, each with its prompt; pairs that do not fit are left out whole.

    A score is given at the end of an answer: without its end there is nothing to score.
    """
    count = Count()
    for _, sides, cut in sequences(run, options, chat):
        if count.is_alike(sides, options.max_length):
            continue
        fits = max(len(side.ids) for side in sides) <= options.max_length
        count.cut += cut and fits
        count.keep({f"{side.part}_ids": side.ids for side in sides}, fits)
    return split(run, options, count, lambda row: len(row["chosen_ids"]) + len(row["rejected_ids"]))


def main(run_dir: Path) -> None:
    course = Course.begin(run_dir, RewardOptions)
    run, options, tokenizer = course.run, course.options, course.tokenizer
    if course.team.sharded and not course.tuning.whole:
        raise BadInput("tunings.scorer_in_shards")
    model = load_scorer(run, course.machine, course.team.sharded)

    course.events.write("phase", phase="preparing")
    data = course.data(rows)
    trainer = GroupedRewardTrainer(
        model=model,
        args=RewardConfig(
            **course.arguments(data),
            max_length=options.max_length,
            activation_checkpointing=needs_checkpointing(run, options, data.train, course.machine),
            center_rewards_coefficient=options.center or None,
        ),
        train_dataset=data.train,
        eval_dataset=data.held_out,
        processing_class=tokenizer,
        peft_config=new_adapter(run, options, model, "SEQ_CLS"),
    )
    course.train(trainer, data)
    # Counted on the model as it is saved: merging an adapter rounds, and that is what will score.
    scorer = whole(trainer.model)
    if data.held_out is not None and not course.stop:
        tell_ranked_right(course, trainer, scorer, data.held_out)
    course.save(trainer, scorer)


def tell_ranked_right(course: Course[RewardOptions], trainer: Any, scorer: Any, pairs: Dataset) -> None:
    """Say how many of the pairs that it never saw the model that is saved ranks right, and what that is worth."""
    right = ranked_right(course, trainer, scorer, pairs)
    if right is None:
        return
    low, high = wilson(right / len(pairs), len(pairs))
    share = {
        "share": f"{100 * right / len(pairs):.0f}",
        "low": f"{100 * low:.0f}",
        "high": f"{100 * high:.0f}",
    }
    values = {"right": right, "rows": len(pairs), **share}
    course.events.write("notice", level="info", key="methods.notice.ranked_right", values=values)


@torch.inference_mode()
def ranked_right(course: Course[RewardOptions], trainer: Any, scorer: Any, pairs: Dataset) -> int | None:
    """Pairs whose better answer has the higher score; TRL's own figure is a mean over batches of unequal size.

    Every rank counts them all. None if the run was asked to end: what it learnt is saved before the grace is over.
    """
    machine, model, right = course.machine, scorer.eval(), 0
    for batch in pairs.iter(course.options.batch_size):
        if course.stop.agreed():
            return None
        rows = [dict(zip(batch, row, strict=True)) for row in zip(*batch.values(), strict=True)]
        with machine.autocast():
            inputs = {name: tensor.to(model.device) for name, tensor in trainer.data_collator(rows).items()}
            # The collator puts the chosen answers first, then the rejected ones in the same order.
            better, worse = model(**inputs).logits.squeeze(-1).chunk(2)
        right += int((better > worse).sum())
    return right


def whole(model: Any) -> Any:
    """The model with its adapter merged: what scores answers loads complete classifiers only."""
    return model.merge_and_unload() if isinstance(model, PeftModel) else model


if __name__ == "__main__":
    alone.run("reward", main)
