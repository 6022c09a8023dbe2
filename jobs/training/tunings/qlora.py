"""QLoRA by bitsandbytes and PEFT: LoRA beside weights in 4 bits, as its paper has it (NF4, double quantisation)."""

from __future__ import annotations

import torch
from transformers import BitsAndBytesConfig

from jobs.training.tunings import Implementation
from jobs.training.tunings.lora import adapter, rate


def quantization(precision: str) -> BitsAndBytesConfig:
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if precision == "bf16" else torch.float32,
    )


IMPLEMENTATION = Implementation(
    quantization,
    adapter,
    # Moments that main memory takes while a long batch needs the GPU's; on a CPU there is nothing to page.
    optimizers={"adamw": "paged_adamw_32bit", "adamw_8bit": "paged_adamw_8bit"},
    rate=rate,
)
