"""LoRA by PEFT: two narrow matrices beside each frozen linear layer."""

from __future__ import annotations

from typing import Any

from peft import LoraConfig

from jobs.training.tunings import Implementation
from studio_core.base.errors import BadInput
from studio_core.runs.spec import RunSpec
from studio_core.tunings.lora import LoraOptions

_ATTENTION_LAYERS = {
    "q_proj", "k_proj", "v_proj", "o_proj", "out_proj", "qkv_proj", "query_key_value", "Wqkv", "c_attn",
}  # fmt: skip
"""What architectures call them."""


def adapter(run: RunSpec, model: Any, options: LoraOptions) -> LoraConfig:
    targets: str | list[str] = "all-linear"
    if options.lora_targets == "attention":
        names = {name.rpartition(".")[2] for name, _ in model.named_modules()}
        targets = sorted(names & _ATTENTION_LAYERS)
        if not targets:
            raise BadInput("tunings.no_attention_layers", model=run.model.name)
    return LoraConfig(
        r=options.lora_rank,
        lora_alpha=options.lora_alpha,
        lora_dropout=options.lora_dropout,
        target_modules=targets,
    )


IMPLEMENTATION = Implementation(adapter=adapter)
