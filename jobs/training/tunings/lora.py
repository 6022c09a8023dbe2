"""LoRA by PEFT: two narrow matrices beside each frozen linear layer."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peft import LoraConfig

from jobs.training.results import INITIAL
from jobs.training.tunings import Companion, Implementation
from jobs.training.tunings.layers import ATTENTION, layers_named
from studio_core.runs.spec import RunSpec
from studio_core.tunings.lora import LoraFromWeightsOptions, LoraOptions

_INITS = {
    # The fast decomposition with 16 iterations, as good as the exact one and seconds instead of an hour (its paper).
    "pissa": "pissa_niter_16",
    "olora": "olora",
}


def adapter(run: RunSpec, model: Any, options: LoraOptions) -> LoraConfig:
    some = options.lora_targets == "attention"
    refusal = "tunings.no_attention_layers"
    return LoraConfig(
        r=options.lora_rank,
        lora_alpha=options.lora_alpha,
        lora_dropout=options.lora_dropout,
        target_modules=layers_named(model, ATTENTION, refusal, run.model.name) if some else "all-linear",
        use_rslora=options.lora_rslora,
        use_dora=options.lora_dora,
        init_lora_weights=_INITS.get(getattr(options, "lora_init", ""), True),
    )


def rate(options: LoraOptions) -> Callable[[str], float] | None:
    """LoRA+: what B learns at, as multiples of what A does."""
    if options.lora_plus == 1.0:
        return None
    return lambda name: options.lora_plus if ".lora_B." in name else 1.0


class Beginning:
    """Keeps what A and B began as, where the base was taken apart for it.

    Saved is the difference, as an adapter of twice the rank on the base as it was: ``B A - B0 A0``.
    """

    def __init__(self, model: Any, run_dir: Path) -> None:
        model.save_pretrained(
            run_dir / INITIAL,
            selected_adapters=["default"],
            save_embedding_layers=False,
            is_main_process=os.environ.get("RANK", "0") == "0",  # All ranks have the same.
        )

    def after_step(self, step: int) -> None: ...

    def finish(self) -> None: ...

    def state_dict(self) -> dict[str, Any]:
        return {}  # A resumed run takes the base apart again, in the same way.

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


def companion(model: Any, options: LoraFromWeightsOptions, run_dir: Path, steps: int) -> Companion | None:
    return Beginning(model, run_dir) if options.lora_init in _INITS else None


IMPLEMENTATION = Implementation(adapter=adapter, rate=rate, companion=companion)
