"""AdaLoRA by PEFT, which leaves it to the training to prune: after each step, while its gradients are there.

PEFT adds the paper's orthogonal regularisation to a loss that TRL's trainers do not use; it is left out for all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from peft import AdaLoraConfig

from jobs.training.tunings import Companion, Implementation
from studio_core.runs.spec import RunSpec
from studio_core.tunings.adalora import AdaloraOptions

_WARMUP, _SETTLING = 0.1, 0.3
"""Shares of the steps before the first and after the last triplet goes: importance is an average that has to build
up, and what is left has to make up for what went."""


def adapter(run: RunSpec, model: Any, options: AdaloraOptions) -> AdaLoraConfig:
    return AdaLoraConfig(
        init_r=options.adalora_start,
        target_r=options.adalora_rank,
        lora_alpha=options.adalora_alpha,
        target_modules="all-linear",
        orth_reg_weight=0.0,
        total_step=1,  # Not known yet: ``Pruning`` says it.
    )


class Pruning:
    """Takes triplets away step by step. They are only set to 0 on the way, so that checkpoints keep their form."""

    def __init__(self, model: Any, steps: int) -> None:
        self._model = model.base_model.model
        self._config = model.peft_config["default"]
        self._allocator = model.base_model.rankallocator
        # Of an adapter that is continued, the ranks that it has now.
        self._allocator._set_budget_scheduler(self._model)
        self._pattern, self._config.rank_pattern = self._config.rank_pattern, None
        self._last = steps - round(_SETTLING * steps)
        self._config.total_step, self._config.tfinal = steps, steps - self._last
        self._config.tinit = min(round(_WARMUP * steps), self._last - 1)
        self._prunes = self._allocator.init_bgt > self._allocator.target_bgt

    def after_step(self, step: int) -> None:
        if not self._prunes:
            return
        if step <= self._last:
            self._allocator.update_ipt(self._model)
            budget, due = self._allocator.budget_schedule(step)
            if due or step == self._last:
                self._pattern = self._allocator.mask_to_budget(self._model, budget)
        if self._pattern:  # The optimiser's moments would bring back what went.
            self._allocator.mask_using_rank_pattern(self._model, self._pattern)

    def finish(self) -> None:
        """Saved is what is left."""
        self._config.rank_pattern = self._pattern

    def state_dict(self) -> dict[str, Any]:
        importance = {"exp_avg_ipt": self._allocator.exp_avg_ipt, "exp_avg_unc": self._allocator.exp_avg_unc}
        return {"pattern": self._pattern, **importance}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._pattern = state["pattern"]
        devices = {name: weight.device for name, weight in self._model.named_parameters()}
        for kind in ("exp_avg_ipt", "exp_avg_unc"):
            kept = {name: value.to(devices[name]) for name, value in state[kind].items()}
            setattr(self._allocator, kind, kept)
        # What ``update_ipt`` goes by to tell whether it knows a weight.
        self._allocator.ipt = dict(self._allocator.exp_avg_ipt)


def companion(model: Any, options: AdaloraOptions, run_dir: Path, steps: int) -> Companion:
    return Pruning(model, steps)


IMPLEMENTATION = Implementation(adapter=adapter, companion=companion)
