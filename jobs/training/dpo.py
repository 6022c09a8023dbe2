r"""Direct preference optimisation (Rafailov et al. 2023, arXiv:2305.18290): one answer of a pair over the other.

    reward(y) = beta * (log pi(y | x) - log pi_reference(y | x))
    loss = - log sigmoid(reward(chosen) - reward(rejected))

The reference is the model as it was: the reward of an answer is how much likelier it has become. The gradient is
large where the pair is still ranked wrongly. ``sft_weight`` adds the loss of supervised fine-tuning on the chosen
answers.

``loss`` takes another function of the two rewards, of TRL's; what each is for and does not do stands beside it on the
page. Several are added up by ``loss_weights``: "sigmoid=0.8, bco_pair=0.2, sft=1" is MPO (Wang et al. 2024,
arXiv:2411.10442). ``divergence`` measures the distance from the reference otherwise (f-DPO), ``ld_alpha`` discounts
what the longer answer has beyond the shorter (LD-DPO), ``use_weighting`` weighs a pair by how likely the model itself
writes it (WPO), and with ``sync_steps`` the reference follows the model (TR-DPO).

Watch: the margin of the rewards rises, and more pairs are ranked right. The log-probability of the chosen answers
may fall a little, and must not fall far: the loss is content if the rejected ones fall faster, and the model then
writes a third thing. More SFT weight or a lower learning rate helps.
What goes wrong: trust in the accuracy of rewards (every loss soon ranks 100 % of pairs right, also ``apo_down``, after
which the model writes none of the chosen answers: ask it); pairs of which the model would write neither; chosen
answers that are simply longer (look at the report's shortcuts); a beta so low that nothing holds the model back.

    python -m jobs.training.dpo --model static/models/tiny-chat \
        --data static/samples/identity-pairs.jsonl --out /tmp/dpo

spec -> model -> data -> trainer -> answers before -> train -> answers after -> save
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_model as load_model_weights
from safetensors.torch import save_model
from trl import DPOConfig, DPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference

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
from studio_core.methods.dpo import DPOOptions
from studio_core.runs.spec import RunSpec

REFERENCE = "reference.safetensors"
"""In a checkpoint: the reference where it follows the model."""


@dataclass
class AnswersOnly(DataCollatorForPreference):  # type: ignore[misc]
    """Leaves out of the log-probabilities what of an answer others said: results of tools, further questions."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super().torch_call(examples)
        rows = [(row, side) for side in ("chosen", "rejected") for row in examples]
        masks = [[False] * len(row["prompt_ids"]) + row[f"{side}_learnt"] for row, side in rows]
        return {**batch, "completion_mask": padded(masks, batch["completion_mask"])}


class GroupedDPOTrainer(OnTokens, GroupedByLength, StepMean, DPOTrainer):  # type: ignore[misc]
    """TRL's trainer, with rows of like length in one batch, on datasets that are tokens already.

    The term ``sft`` is a mean over tokens: its weight makes up for how many of the step's tokens a batch holds.
    """

    _tokens: torch.Tensor

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: Any) -> tuple[list[Any], Any]:
        batches, items = super().get_batch_samples(epoch_iterator, num_batches, device)
        self._tokens = self._of_all_ranks(sum(_tokens_of_chosen(batch) for batch in batches), device)
        return batches, items

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        if self.args.sync_ref_model and self.args.should_save:
            folder = Path(self._get_output_dir(trial), f"checkpoint-{self.state.global_step}")
            save_model(self.accelerator.unwrap_model(self.ref_model), str(folder / REFERENCE))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        if self.args.sync_ref_model:  # It is no longer the model that the run began with.
            reference = self.accelerator.unwrap_model(self.ref_model)
            load_model_weights(reference, Path(resume_from_checkpoint, REFERENCE))

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        # TRL adds up terms that are means over different things: rows for the preference, tokens for SFT. StepMean
        # weighs the whole by rows, so the term of tokens is set right here.
        weights = self.loss_weights
        if "sft" in self.loss_types and self.model.training:
            of_rows = self._share(len(inputs["input_ids"]), self._rows)
            of_tokens = self._share(_tokens_of_chosen(inputs), self._tokens)
            self.loss_weights = [
                weight * of_tokens / of_rows if name == "sft" else weight
                for name, weight in zip(self.loss_types, weights, strict=True)
            ]
        try:
            return super().compute_loss(model, inputs, *args, **kwargs)
        finally:
            self.loss_weights = weights


def _tokens_of_chosen(batch: Any) -> Any:
    """How many tokens of the chosen answers are scored; those are the upper half of a batch."""
    chosen, _ = batch["completion_mask"].chunk(2)
    return chosen[:, 1:].sum()  # The first token of a row has nothing before it that could predict it.


def rows(run: RunSpec, options: TrainingOptions, chat: ChatFormat) -> Prepared:
    """Columns ``prompt_ids``, ``chosen_ids`` and ``rejected_ids``; answers start where the prompt ends.

    ``chosen_learnt`` and ``rejected_learnt`` say of each token of an answer whether the assistant wrote it.
    """
    count = Count()
    for _, sides, cut in sequences(run, options, chat):
        if count.is_alike(sides, options.max_length):
            continue
        count.cut += cut
        row = {"prompt_ids": sides[0].ids[: sides[0].prompt]}
        row |= {f"{side.part}_ids": side.ids[side.prompt :] for side in sides}
        row |= {f"{side.part}_learnt": side.trained[side.prompt :] for side in sides}
        count.keep(row, all(any(side.trained[: options.max_length]) for side in sides))

    def length(row: Row) -> int:
        prompt, sides = len(row["prompt_ids"]), (len(row["chosen_ids"]), len(row["rejected_ids"]))
        return sum(min(options.max_length, prompt + side) for side in sides)

    return split(run, options, count, length)


def settings(options: DPOOptions) -> dict[str, Any]:
    """The options that change what a loss is made of, by TRL's names."""
    return {
        "label_smoothing": options.label_smoothing,
        "ld_alpha": options.ld_alpha if options.ld_alpha < 1 else None,
        "use_weighting": options.use_weighting,
        "f_divergence_type": options.divergence,
        "f_alpha_divergence_coef": options.divergence_alpha,
        "precompute_ref_log_probs": options.precompute_reference,
        "sync_ref_model": options.sync_steps > 0,
        "ref_model_sync_steps": options.sync_steps or 1,
        "ref_model_mixup_alpha": options.sync_mix,
    }


def main(run_dir: Path) -> None:
    course = Course.begin(run_dir, DPOOptions)
    run, options, tokenizer = course.run, course.options, course.tokenizer
    if options.sync_steps and course.team.sharded:
        raise BadInput("methods.dpo.sync_sharded", steps=options.sync_steps)
    model = load_model(run, course.machine, course.team.sharded)
    # With LoRA the model without its adapter (or with a copy of the adapter it began with) is the
    # reference, and needs no second model in memory.
    separate = course.tuning.whole and not options.precompute_reference
    reference = copy.deepcopy(model).requires_grad_(False) if separate else None

    # As tokens, with the ends that are cut and the pairs that the cut makes alike counted for the run's page.
    course.events.write("phase", phase="preparing")
    data = course.data(rows)
    with fast_head(DPOTrainer):
        trainer = GroupedDPOTrainer(
            model=model,
            ref_model=reference,
            args=DPOConfig(
                **course.arguments(data),
                max_length=options.max_length,
                activation_checkpointing=needs_checkpointing(run, options, data.train, course.machine),
                beta=options.beta,
                # The SFT term keeps the chosen answers likely: a preference alone is content when the rejected ones
                # fall faster.
                loss_type=[*options.terms],
                loss_weights=[*options.terms.values()],
                **settings(options),
            ),
            data_collator=AnswersOnly(tokenizer.pad_token_id, options.max_length),
            train_dataset=data.train,
            eval_dataset=data.held_out,
            processing_class=tokenizer,
            peft_config=new_adapter(run, options, model),
        )
    course.train(trainer, data)
    course.save(trainer)


if __name__ == "__main__":
    alone.run("dpo", main)
