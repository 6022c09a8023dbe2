"""Learning from pairs without a reference model: the trainer of SimPO, CPO and ORPO.

TRL has these three as experimental trainers, which make tokens themselves and score every position. Here they are
``dpo``'s trainer, with its tokens, masks, batches and head for labelled positions only, and another loss:

    loss = mean over pairs of loss(reward(chosen) - reward(rejected)) + sft_weight * loss of SFT on chosen

The script of each says what ``reward`` and ``loss`` are; a test holds both against TRL's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from trl import DPOConfig, DPOTrainer

from jobs.training.course import Course
from jobs.training.data import Prepared
from jobs.training.dpo import AnswersOnly, GroupedDPOTrainer
from jobs.training.fast_head import fast_head
from jobs.training.loading import load_model, needs_checkpointing, new_adapter


@dataclass(frozen=True)
class Answers:
    """The chosen or the rejected answers of a batch. Shapes: (pairs,)."""

    logps: torch.Tensor
    """Log-probability of each whole answer, in nats."""
    tokens: torch.Tensor
    """How many of its tokens are scored."""

    @property
    def per_token(self) -> torch.Tensor:
        return self.logps / self.tokens.clamp(min=1)


@dataclass(frozen=True)
class Objective:
    reward: Callable[[Answers], torch.Tensor]
    """Of each answer, from its log-probability alone."""
    loss: Callable[[torch.Tensor], torch.Tensor]
    """Of each pair, from the difference of its rewards."""
    sft_weight: float = 0.0


class ReferenceFreeTrainer(GroupedDPOTrainer):
    def __init__(self, objective: Objective, **given: Any) -> None:
        self.objective = objective
        super().__init__(**given)
        if "ref" in getattr(self.model, "peft_config", {}):  # A copy of an adapter that is continued.
            self.model.delete_adapter("ref")

    def _precompute_ref_logps(self, dataset: Any, *_: Any) -> Any:
        """Nothing: DPO's trainer is told that the reference is precomputed, so that it holds none."""
        return dataset

    def _compute_loss(self, model: Any, inputs: Any, return_outputs: bool) -> torch.Tensor:
        routed = {"output_router_logits": True} if self.aux_loss_enabled else {}
        labels = inputs["input_ids"].masked_fill(inputs["completion_mask"] == 0, -100)
        outputs = model(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            labels=labels,
            use_cache=False,
            fused_lm_head=True,
            **routed,
        )
        mask = inputs["completion_mask"][:, 1:].bool()
        # Virtual tokens of a learnt prompt stand before the real ones.
        logps = outputs.log_probs[:, -mask.shape[1] :]
        chosen, rejected = map(Answers, logps.sum(1).chunk(2), mask.sum(1).chunk(2))
        rewards = self.objective.reward(chosen), self.objective.reward(rejected)
        loss = self.objective.loss(rewards[0] - rewards[1]).mean()
        if "sft" in self.loss_types:  # Its weight, as ``compute_loss`` has just set it for this batch.
            loss = loss - self.loss_weights[-1] * chosen.logps.sum() / chosen.tokens.sum()
        if self.aux_loss_enabled:
            loss = loss + self.router_aux_loss_coef * outputs.aux_loss
        self._tell(inputs, mask, outputs, (chosen, rejected), rewards)
        return loss

    @torch.no_grad()
    def _tell(self, inputs: Any, mask: Any, outputs: Any, answers: Any, rewards: Any) -> None:
        """Metrics by the names that DPO has."""
        training = self.model.training
        metrics = self._metrics["train" if training else "eval"]
        if training:
            self._total_train_tokens += int(self._of_all_ranks(inputs["attention_mask"].sum(), mask.device))
        metrics["num_tokens"] = [self._total_train_tokens]
        margins = rewards[0] - rewards[1]
        of_pairs = {
            "rewards/chosen": rewards[0],
            "rewards/rejected": rewards[1],
            "rewards/margins": margins,
            "rewards/accuracies": (margins > 0).float(),
            "logps/chosen": answers[0].logps,
            "logps/rejected": answers[1].logps,
        }
        for name, values in of_pairs.items():
            metrics[name].append(self.accelerator.gather(values.float()).mean().item())
        chosen_mask, (is_top1, _) = mask.chunk(2)[0], outputs.is_top1[:, -mask.shape[1] :].chunk(2)
        of_tokens = {
            "entropy": (outputs.entropy[:, -mask.shape[1] :] * mask, mask),
            "mean_token_accuracy": (is_top1 & chosen_mask, chosen_mask),
        }
        for name, (values, counted) in of_tokens.items():
            total, number = (self._of_all_ranks(part.sum(), mask.device) for part in (values, counted))
            metrics[name].append((total / number).item() if number else 0.0)


def carry_out(course: Course[Any], rows: Callable[..., Prepared], objective: Objective) -> None:
    """Model, data, trainer, answers before, training, answers after, result."""
    run, options, tokenizer = course.run, course.options, course.tokenizer
    model = load_model(run, course.machine, course.team.sharded)
    course.events.write("phase", phase="preparing")
    data = course.data(rows)
    with_sft = objective.sft_weight > 0
    with fast_head(DPOTrainer):
        trainer = ReferenceFreeTrainer(
            objective,
            model=model,
            args=DPOConfig(
                **course.arguments(data),
                max_length=options.max_length,
                activation_checkpointing=needs_checkpointing(run, options, data.train, course.machine),
                # "sigmoid" stands for the objective's loss, which takes its place.
                loss_type=["sigmoid", "sft"] if with_sft else ["sigmoid"],
                loss_weights=[1.0, objective.sft_weight] if with_sft else None,
                # With an adapter there is no second model in any case.
                precompute_ref_log_probs=course.tuning.whole,
            ),
            data_collator=AnswersOnly(tokenizer.pad_token_id, options.max_length),
            train_dataset=data.train,
            eval_dataset=data.held_out,
            processing_class=tokenizer,
            peft_config=new_adapter(run, options, model),
        )
    course.train(trainer, data)
    course.save(trainer)
