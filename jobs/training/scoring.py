"""What trainings of reward models have in common: a trainer for any objective on scores, and what becomes of it.

TRL's ``RewardTrainer`` brings adapter, padding token, logs and checkpoints; its own objective knows pairs only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from torch.nn.utils.rnn import pad_sequence
from trl import RewardConfig, RewardTrainer

from jobs.training.course import Course
from jobs.training.data import Prepared, Row
from jobs.training.grouping import GroupedByLength, OnTokens
from jobs.training.loading import load_scorer, needs_checkpointing, new_adapter
from jobs.training.step_mean import StepMean
from studio_core.base.errors import BadInput
from studio_core.tunings.lora import LORA

Figures = dict[str, torch.Tensor]
"""Metrics of one batch by name, each a mean over its rows."""
Batch = dict[str, torch.Tensor]


def padded_batch(sequences: list[list[int]], pad: int) -> Batch:
    """``input_ids`` and ``attention_mask``, (sequences, longest), padded at the end."""
    ids = [torch.tensor(one) for one in sequences]
    return {
        "input_ids": pad_sequence(ids, batch_first=True, padding_value=pad),
        "attention_mask": pad_sequence([torch.ones_like(one) for one in ids], batch_first=True),
    }


def scores_of(model: Any, batch: Batch) -> torch.Tensor:
    """The score of each sequence of a batch, (sequences,)."""
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    scores: torch.Tensor = model(**inputs, use_cache=False).logits.squeeze(-1).float()
    return scores


class Objective(RewardTrainer):  # type: ignore[misc]
    """TRL's trainer with the objective of a subclass in place of that for pairs."""

    read: Callable[[Any, Batch], torch.Tensor] = staticmethod(scores_of)
    """What the objective is about: the score of each sequence of a batch, or of each part of one."""

    def objective(self, scores: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, Figures]:
        """The mean loss over the rows of a batch, and its metrics."""
        raise NotImplementedError

    def compute_loss(
        self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        scores = self.read(model, inputs)
        loss, figures = self.objective(scores, inputs)
        mode = "train" if self.model.training else "eval"
        if mode == "train":
            tokens = self.accelerator.gather_for_metrics(inputs["attention_mask"].sum())
            self._total_train_tokens += int(tokens.sum())
        self._metrics[mode]["num_tokens"] = [self._total_train_tokens]
        for name, value in figures.items():
            together = self.accelerator.gather_for_metrics(value.detach())
            self._metrics[mode][name].append(together.mean().item())
        return (loss, {"scores": scores.detach()}) if return_outputs else loss


def spread_of(scores: torch.Tensor) -> Figures:
    """The metrics that TRL reports of scores, whatever the objective."""
    return {"min_reward": scores.min(), "mean_reward": scores.mean(), "max_reward": scores.max()}


class ScorerTrainer(OnTokens, GroupedByLength, StepMean, Objective):
    """With rows of like length in one batch, on datasets that are tokens already."""


def begun(course: Course[Any]) -> Any:
    """The model that is to score, with its new output. Refused is what could not be merged at the end."""
    if course.team.sharded and not course.tuning.whole:
        raise BadInput("tunings.scorer_in_shards")
    return load_scorer(course.run, course.machine, course.team.sharded)


def trainer(
    course: Course[Any],
    kind: type[RewardTrainer],
    model: Any,
    data: Prepared,
    collator: Callable[[list[Row]], Batch],
    **given: Any,
) -> Any:
    """A trainer of that kind, with the arguments that all reward models share."""
    run, options = course.run, course.options
    return kind(
        model=model,
        args=RewardConfig(
            **course.arguments(data),
            max_length=options.max_length,
            activation_checkpointing=needs_checkpointing(run, options, data.train, course.machine),
            **given,
        ),
        data_collator=collator,
        train_dataset=data.train,
        eval_dataset=data.held_out,
        processing_class=course.tokenizer,
        peft_config=new_adapter(run, options, model, "SEQ_CLS"),
    )


def whole(course: Course[Any], trainer: Any) -> Any:
    """The model with its adapter merged: what scores answers loads complete classifiers only.

    An adapter beside weights in 4 bits goes onto the weights as they were before, of which those are a rounding; the
    trainer's model is given up first, so that both are never in memory.
    """
    model = trainer.model
    if not isinstance(model, PeftModel):
        return model
    if not getattr(model.get_base_model(), "is_quantized", False):
        return model.merge_and_unload()
    learnt = {name: weight.cpu() for name, weight in get_peft_model_state_dict(model).items()}
    adapter = model.peft_config["default"]
    del model
    trainer.model = trainer.model_wrapped = None
    trainer.accelerator.free_memory()
    plain = course.run.spec.model_copy(update={"tuning": LORA.name})
    base = load_scorer(course.run.model_copy(update={"spec": plain}), course.machine)
    again = get_peft_model(base, adapter)
    set_peft_model_state_dict(again, learnt)
    return again.merge_and_unload()


@torch.inference_mode()
def measured(
    course: Course[Any],
    trainer: Any,
    scorer: Any,
    rows: Dataset,
    read: Callable[[Any, Batch], torch.Tensor] = scores_of,
) -> Iterator[tuple[list[Row], torch.Tensor]]:
    """Rows of the held-out data, a batch at a time, with their scores by the model as it is saved.

    TRL's own figures are means over batches of unequal size, of a model that is not merged yet. Ends early if the
    run was asked to end: what it learnt is saved before the grace is over.
    """
    scorer.eval()
    for batch in rows.iter(course.options.batch_size):
        if course.stop.agreed():
            return
        some = [dict(zip(batch, row, strict=True)) for row in zip(*batch.values(), strict=True)]
        with course.machine.autocast():
            inputs = {name: tensor.to(scorer.device) for name, tensor in trainer.data_collator(some).items()}
            scores = read(scorer, inputs).cpu()
        yield some, scores
