"""Kahneman-Tversky optimisation (Ethayarajh et al. 2024, arXiv:2402.01306): answers called good or bad, without pairs.

    reward(y) = beta * (log pi(y | x) - log pi_reference(y | x))
    drift = beta * mean of the same for answers to other prompts, not below 0
    loss of a good answer = good_weight * (1 - sigmoid(reward - drift))
    loss of a bad answer = bad_weight * (1 - sigmoid(drift - reward))

As people do, it weighs gains and losses from where it stands: the drift, how far the model has moved from its
reference in general. It is estimated from answers that do not belong to their prompts, and no gradient goes through
it.

Watch: rewards of good answers rise, of bad ones fall, and the KL stays small. A large KL means that the model
forgets.
What goes wrong: data that are nearly all good or all bad (``balance`` weighs the rarer kind more); a batch so small
that the drift is noise.

    python -m jobs.training.kto --model static/models/tiny-chat --data JUDGED.jsonl --out /tmp/kto

with lines such as {"prompt": "What is your name?", "completion": "I am Nova.", "label": true}.

spec -> model -> data -> trainer -> answers before -> train -> answers after -> save
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from transformers import PreTrainedTokenizerBase
from trl import KTOConfig, KTOTrainer
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference, use_adapter

from jobs.training import alone
from jobs.training.course import Course
from jobs.training.data import Count, Prepared, Row, padded, sequences, split
from jobs.training.fast_head import fast_head
from jobs.training.grouping import GroupedByLength, OnTokens
from jobs.training.loading import load_model, needs_checkpointing, new_adapter
from jobs.training.step_mean import StepMean
from studio_core.base.errors import BadInput
from studio_core.data.chat_format import ChatFormat
from studio_core.methods.common import TrainingOptions
from studio_core.methods.kto import KTOOptions
from studio_core.runs.spec import RunSpec


@dataclass(frozen=True)
class Rows:
    """The rows of a batch as they were before they were padded."""

    examples: list[dict[str, Any]]


Answer = dict[str, Any]
"""``KL_completion_ids`` and ``KL_completion_learnt`` of an answer that is to be put to another prompt."""


@dataclass
class AnswersOnly(DataCollatorForUnpairedPreference):  # type: ignore[misc]
    """Leaves out of the log-probabilities what of an answer others said: results of tools, further questions."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super().torch_call(examples)
        for kl in ("", "KL_"):
            if f"{kl}completion_ids" in examples[0]:
                masks = [[False] * len(row["prompt_ids"]) + row[f"{kl}completion_learnt"] for row in examples]
                batch[f"{kl}completion_mask"] = padded(masks, batch[f"{kl}completion_mask"])
        return batch


@dataclass
class Mismatched(AnswersOnly):
    """Pairs each prompt also with the answer to the one before it: TRL's sample for the drift (KL).

    TRL makes these pairs beforehand and so must see the rows in one order for ever; made for each batch,
    they hold in whatever order the rows come. A row that is left over alone has no answer but its own, against
    which it would look like drift whatever the model learns: it gets none, and its drift is 0.
    """

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        return {**self.paired(examples, rotated([*map(_answer, examples)])), "rows": Rows(examples)}

    def paired(self, examples: list[dict[str, Any]], others: list[Answer]) -> dict[str, Any]:
        return super().torch_call([{**row, **other} for row, other in zip(examples, others, strict=True)])


def _answer(row: dict[str, Any]) -> Answer:
    return {f"KL_{name}": row[name] for name in ("completion_ids", "completion_learnt")}


def rotated(answers: list[Answer]) -> list[Answer]:
    nothing: Answer = {"KL_completion_ids": [], "KL_completion_learnt": []}
    return [answers[-1], *answers[:-1]] if len(answers) > 1 else [nothing]


def collator(options: KTOOptions, tokenizer: PreTrainedTokenizerBase) -> DataCollatorForUnpairedPreference:
    """What makes batches for the loss; only ``kto`` measures the drift."""
    kind = Mismatched if options.loss == "kto" else AnswersOnly
    return kind(pad_token_id=tokenizer.pad_token_id, max_length=options.max_length)


class ShuffledKTOTrainer(OnTokens, GroupedByLength, StepMean, KTOTrainer):  # type: ignore[misc]
    """TRL's trainer, with the rows in a new random order in each epoch, on datasets that are tokens already.

    TRL measures the drift of each batch alone. Here it is that of the whole step, over all ranks.
    """

    _step: list[dict[str, Any]]
    _drift: torch.Tensor | None

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: Any) -> tuple[list[Any], Any]:
        batches, items = super().get_batch_samples(epoch_iterator, num_batches, device)
        if self.calculate_KL:
            rows = [batch["rows"].examples for batch in batches]
            others = others_of_step(rows, self.accelerator)
            batches = [self.data_collator.paired(*pair) for pair in zip(rows, others, strict=True)]
        self._step, self._drift = batches, None
        return batches, items

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        inputs = {name: values for name, values in inputs.items() if name != "rows"}
        if self.calculate_KL and self.model.training and self._drift is None:
            self._drift = self._drift_of_step(model)
        return super().compute_loss(model, inputs, *args, **kwargs)

    def _compute_kl_logps(self, model: Any, batch: Any) -> Any:
        """In training, numbers whose difference is the drift of the step; the reference is asked without gradients."""
        if self._drift is None or not self.model.training:
            return super()._compute_kl_logps(model, batch)
        return (self._drift if torch.is_grad_enabled() else 0 * self._drift).expand(len(batch["label"]))

    @torch.no_grad()
    def _drift_of_step(self, model: Any) -> torch.Tensor:
        total = torch.zeros((), device=self.accelerator.device)
        for batch in map(self._prepare_inputs, self._step):
            total += super()._compute_kl_logps(model, batch).sum()
            if self.ref_model is not None:
                total -= super()._compute_kl_logps(self.ref_model, batch).sum()
                continue
            plain = self.accelerator.unwrap_model(self.model)
            with use_adapter(plain, adapter_name="ref" if "ref" in plain.peft_config else None):
                total -= super()._compute_kl_logps(self.model, batch).sum()
        return self._of_all_ranks(total, total.device) / self._rows

    def log(self, *args: Any, **kwargs: Any) -> None:
        if not self.calculate_KL:  # TRL says 0 of a drift that it did not measure.
            for values in self._metrics.values():
                values.pop("kl", None)
        super().log(*args, **kwargs)


def others_of_step(rows: list[list[dict[str, Any]]], accelerator: Any) -> list[list[Answer]]:
    """For each row of each batch the answer to the row before it in the whole step; ranks take batches in turn."""
    answers = [[*map(_answer, batch)] for batch in rows]
    ranks = gather_object([answers]) if accelerator.num_processes > 1 else [answers]
    places = [(batch, rank) for batch in range(len(rows)) for rank in range(len(ranks))]
    others = iter(rotated([answer for batch, rank in places for answer in ranks[rank][batch]]))
    dealt = {(batch, rank): [next(others) for _ in ranks[rank][batch]] for batch, rank in places}
    return [dealt[batch, accelerator.process_index] for batch in range(len(rows))]


def rows(run: RunSpec, options: TrainingOptions, chat: ChatFormat) -> Prepared:
    """Columns ``prompt_ids``, ``completion_ids`` and ``label``; refused is a dataset without both kinds of answers.

    ``completion_learnt`` says of each token of an answer whether the assistant wrote it. Without the rows'
    lengths: they are to come in random order, since good and bad answers often differ in length.
    """
    count = Count()
    for record, [made], cut in sequences(run, options, chat):
        count.cut += cut
        row = {
            "prompt_ids": made.ids[: made.prompt],
            "completion_ids": made.ids[made.prompt :],
            "completion_learnt": made.trained[made.prompt :],
            "label": bool(record["label"]),
        }
        count.keep(row, any(made.trained[: options.max_length]))

    def length(row: Row) -> int:
        return min(options.max_length, len(row["prompt_ids"]) + len(row["completion_ids"]))

    prepared = split(run, options, count, length)
    good = sum(prepared.train["label"])
    if good in (0, len(prepared.train)):
        raise BadInput(
            "methods.kto.one_kind_only", dataset=run.dataset.name, rows=len(prepared.train), good=good
        )
    prepared.train = prepared.train.remove_columns("length")
    return prepared


def main(run_dir: Path) -> None:
    course = Course.begin(run_dir, KTOOptions)
    run, options, tokenizer = course.run, course.options, course.tokenizer
    model = load_model(run, course.machine, course.team.sharded)
    # With LoRA the model without its adapter (or with a copy of the adapter it began with) is the reference.
    reference = copy.deepcopy(model).requires_grad_(False) if course.tuning.whole else None

    course.events.write("phase", phase="preparing")
    data = course.data(rows)
    # Of 9 good and 1 bad answer the bad one counts 9 times, or the model would learn to call everything good.
    good = sum(data.train["label"])
    good_weight, bad_weight = options.weights(good, len(data.train) - good)
    with fast_head(KTOTrainer):
        trainer = ShuffledKTOTrainer(
            model=model,
            ref_model=reference,
            args=KTOConfig(
                **course.arguments(data),
                max_length=options.max_length,
                activation_checkpointing=needs_checkpointing(run, options, data.train, course.machine),
                beta=options.beta,
                loss_type=options.loss,
                desirable_weight=good_weight,
                undesirable_weight=bad_weight,
            ),
            data_collator=collator(options, tokenizer),
            train_dataset=data.train,
            eval_dataset=data.held_out,
            processing_class=tokenizer,
            peft_config=new_adapter(run, options, model),
        )
    course.train(trainer, data)
    course.save(trainer)


if __name__ == "__main__":
    alone.run("kto", main)
