r"""Supervised fine-tuning with a penalty for leaving the base model (after Li and Hoiem 2016, arXiv:1606.09282).

    loss = - mean over learnt tokens of log pi(token)  +  kl_coef * mean over tokens of KL
    KL (forward) = sum over the vocabulary of base * (log base - log pi)
    KL (reverse) = sum over the vocabulary of pi * (log pi - log base)

The base is the model as it was: a frozen copy, or the frozen weights without their adapter. Forward KL asks for
probability wherever the base had some, so that nothing it could say is lost; reverse KL lets it drop some of that
and only keeps it from saying what the base never would. ``kl_on``: all tokens of a row, or those of its answers.

Watch: the KL. It rises while the task is learnt and levels off; where it does is the price that was paid. The token
accuracy says whether the task was learnt for it: where it stays low and the KL near 0, the coefficient is too large.
What goes wrong: a coefficient that forbids the task itself (a new format of answers is far from the base, in nats);
a base that cannot answer at all, where KL on the answers holds the model to what it should unlearn.

    python -m jobs.training.sft_kl --model static/models/tiny-base \
        --data static/samples/tiny-sft-chat.jsonl --out /tmp/sft-kl --set kl_coef=0.3

spec -> model -> data -> trainer -> answers before -> train -> answers after -> save
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch.distributed.tensor import DTensor
from trl import SFTConfig, SFTTrainer
from trl.trainer.distillation_trainer import _chunked_divergence_loss

from jobs.training import alone
from jobs.training.course import Course
from jobs.training.divergence import between
from jobs.training.fast_head import Further, fast_head, takes_further
from jobs.training.loading import load_model, needs_checkpointing, new_adapter
from jobs.training.reference import as_before, frozen_copy, prepared
from jobs.training.sft import GroupedSFTTrainer, rows
from studio_core.methods.sft_kl import MOST_LOGITS, SFTKLOptions

_FORWARD, _REVERSE = 0.0, 1.0
"""Where TRL's divergence, which knows all that lies between, is the one KL or the other."""


class SFTKLTrainer(GroupedSFTTrainer):
    """TRL's trainer of SFT, with the KL to the model as it was.

    The KL of a large batch is TRL's own of distillation: from hidden states, a block of the vocabulary at a time, so
    that the logits of neither model are ever there as a whole. It computes them twice, which a small batch on a CPU
    need not pay for: there it took three times as long as from logits that are kept.
    """

    def __init__(self, options: SFTKLOptions, reference: Any, **given: Any) -> None:
        super().__init__(**given)
        self._options = options
        self._reference = prepared(reference, self.accelerator)
        self._kl_tokens: Any = None
        # Virtual tokens of prompt learning stand before the row, and its places are others then.
        prompts = isinstance(self.model, PeftModel) and self.model.active_peft_config.is_prompt_learning
        self._scores_further = takes_further(bare(self.model)) and not prompts

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: Any) -> tuple[list[Any], Any]:
        """The batches of the next step; the tokens of its KL are counted over all ranks."""
        batches, items = super().get_batch_samples(epoch_iterator, num_batches, device)
        count = torch.as_tensor(sum(self._compared(batch).sum() for batch in batches), device=device)
        self._kl_tokens = self.accelerator.gather(count.reshape(1)).sum()
        return batches, items

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **given: Any) -> Any:
        asked = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        compared = self._compared(inputs)
        with as_before(self.model, self._reference) as base, last_hidden_states(base) as before:
            base(**asked, use_cache=False, logits_to_keep=1)  # Its logits are not what is wanted.
        # Where distributions are kept anyway, those of the loss are among those of the KL.
        further = Further(compared) if self._scores_further and self._keeps(compared) else None
        scored = {**inputs, "further": further} if further else inputs
        with last_hidden_states(self.model) as now:
            loss = super().compute_loss(model, scored, **given)
        kl = self._kl(now[-1], before[-1], compared, further.log_probs if further else None)
        mode = "train" if self.model.training else "eval"
        sums = torch.stack([kl.detach(), compared.sum()])
        total, tokens = self.accelerator.gather(sums).view(-1, 2).sum(0)
        self._metrics[mode]["kl"].append((total / tokens.clamp(min=1)).item())
        # Of a step all tokens weigh alike; gradients of ranks are averaged, which their number undoes.
        step = self._kl_tokens if self.model.training else compared.sum()
        share = self.accelerator.num_processes if self.model.training else 1
        loss = loss + self._options.kl_coef * kl * share / step.clamp(min=1)
        return (loss, None) if return_outputs else loss

    def _compared(self, batch: Any) -> torch.Tensor:
        """(rows, length - 1): the places whose distribution over the next token is compared."""
        if self._options.kl_on == "answers":
            return batch["labels"][:, 1:] != -100
        return batch["attention_mask"][:, 1:] != 0

    def _keeps(self, compared: torch.Tensor) -> bool:
        """Whether the logits of all places that are compared are held at once."""
        words = len(bare(self.model).get_output_embeddings().weight)
        return compared.device.type == "cpu" and int(compared.sum()) * words <= MOST_LOGITS

    def _kl(
        self,
        now: torch.Tensor,
        before: torch.Tensor,
        compared: torch.Tensor,
        log_probs: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The sum over the places ``compared``; hidden states are (rows, length, width). ``log_probs`` of the model at
        these places, (places, vocabulary), if they are there already."""
        length = before.shape[1]
        model, base = bare(self.model), bare(self._reference or self.model)
        head, base_head = model.get_output_embeddings(), base.get_output_embeddings()
        # Virtual tokens of prompt learning stand before the row.
        states, base_states = now[:, -length:-1][compared], before[:, :-1][compared]
        beta = _FORWARD if self._options.kl_direction == "forward" else _REVERSE
        changes = _logit_changes(model.config.get_text_config())
        together = max(1, MOST_LOGITS // len(head.weight)) if now.device.type == "cpu" else len(states)
        # In shards a head is whole in its own forward pass only; TRL's kernel gathers it.
        whole = not isinstance(head.weight, DTensor) and not isinstance(base_head.weight, DTensor)
        if self._keeps(compared) and whole and not changes:
            with torch.no_grad():
                taught = base_head(base_states).float().log_softmax(-1)
            if log_probs is None:
                log_probs = head(states).float().log_softmax(-1)
            return between(log_probs, taught, beta).sum()
        in_blocks = partial(
            _chunked_divergence_loss,
            student_lm_head_weight=head.weight,
            student_lm_head_bias=head.bias,
            teacher_lm_head_weight=base_head.weight,
            teacher_lm_head_bias=base_head.bias,
            beta=beta,
            num_items_in_batch=1,
            **changes,
        )
        total = now.new_zeros(())
        for some, of_base in zip(
            states.split(max(1, together)), base_states.split(max(1, together)), strict=True
        ):
            total = total + in_blocks(some, of_base, completion_mask=some.new_ones(len(some)))[0]
        return total


def bare(model: Any) -> Any:
    """The language model inside of what wraps it."""
    while hasattr(model, "module"):
        model = model.module
    return model.get_base_model() if isinstance(model, PeftModel) else model


@contextmanager
def last_hidden_states(model: Any) -> Iterator[list[torch.Tensor]]:
    """What the model's layers hand to its head, of each forward pass that is made meanwhile."""
    states: list[torch.Tensor] = []
    handle = bare(model).base_model.register_forward_hook(
        lambda module, given, output: states.append(output.last_hidden_state)
    )
    try:
        yield states
    finally:
        handle.remove()


def _logit_changes(config: Any) -> dict[str, float]:
    """By what an architecture multiplies its logits, and what it caps them at, for both models."""
    scale = 1.0
    for name in ("logit_scale", "output_multiplier", "lm_head_multiplier"):
        scale *= getattr(config, name, None) or 1.0
    if division := getattr(
        config, "logits_scaling", None
    ):  # HyperCLOVA X alone multiplies by what others divide by.
        scale *= division if config.model_type == "hyperclovax" else 1 / division
    changes = {"logit_scale": scale} if scale != 1.0 else {}
    if cap := getattr(config, "final_logit_softcapping", None):
        changes["final_logit_softcapping"] = cap
    return {f"{whose}_{name}": value for whose in ("student", "teacher") for name, value in changes.items()}


def main(run_dir: Path) -> None:
    course = Course.begin(run_dir, SFTKLOptions)
    run, options = course.run, course.options
    model = load_model(run, course.machine, course.team.sharded)
    reference = frozen_copy(model, course.tuning.whole)

    course.events.write("phase", phase="preparing")
    data = course.data(rows)
    with fast_head(SFTTrainer):
        trainer = SFTKLTrainer(
            options,
            reference,
            model=model,
            args=SFTConfig(
                **course.arguments(data),
                max_length=options.max_length,
                activation_checkpointing=needs_checkpointing(run, options, data.train, course.machine),
                dataset_kwargs={"skip_prepare_dataset": True},
            ),
            train_dataset=data.train,
            eval_dataset=data.held_out,
            processing_class=course.tokenizer,
            peft_config=new_adapter(run, options, model),
        )
    course.train(trainer, data)
    course.save(trainer)


if __name__ == "__main__":
    alone.run("sft-kl", main)
