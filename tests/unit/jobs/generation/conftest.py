from __future__ import annotations

from pathlib import Path

import peft
import pytest

from jobs.bottleneck import BottleneckConfig
from tests.unit.jobs.generation.small_models import save_adapter, save_llama

KINDS: dict[str, peft.PeftConfig] = {
    "adalora": peft.AdaLoraConfig(init_r=4, total_step=1, target_modules="all-linear"),
    "ia3": peft.IA3Config(),
    "layernorm": peft.LNTuningConfig(target_modules=["input_layernorm", "post_attention_layernorm", "norm"]),
    "oft": peft.OFTConfig(oft_block_size=8, target_modules="all-linear"),
    "vera": peft.VeraConfig(r=8, target_modules="all-linear"),
}
"""Adapters that are no LoRA, as the ways of tuning make them."""

VIRTUAL: dict[str, peft.PeftConfig] = {
    "prompt": peft.PromptTuningConfig(num_virtual_tokens=5, task_type="CAUSAL_LM"),
    "prefix": peft.PrefixTuningConfig(num_virtual_tokens=5, task_type="CAUSAL_LM"),
    "p_tuning": peft.PromptEncoderConfig(num_virtual_tokens=5, encoder_hidden_size=8, task_type="CAUSAL_LM"),
}
ADDED: dict[str, peft.PeftConfig] = {
    **VIRTUAL,
    "biases": peft.BeftConfig(target_modules="all-linear"),
    "bottleneck": BottleneckConfig(width=4, target_modules=["o_proj", "down_proj"]),
}
"""Adapters that get a copy of the base of their own."""


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """``base``, ``other`` (another base), and adapters on ``base`` of each way of sharing."""
    root = tmp_path_factory.mktemp("models")
    base = save_llama(root / "base")
    return {
        "base": base,
        "other": save_llama(root / "other", seed=7),
        "lora": save_adapter(root / "lora", base, seed=1),
        "second": save_adapter(root / "second", base, seed=2),
        "dora": save_adapter(root / "dora", base, seed=3, use_dora=True),
        "saved": save_adapter(root / "saved", base, seed=4, modules_to_save=["norm"]),
        "pissa": save_adapter(root / "pissa", base, seed=5, init_lora_weights="pissa"),
        **{name: save_adapter(root / name, base, seed=6, kind=kind) for name, kind in KINDS.items()},
        "second-ia3": save_adapter(root / "second-ia3", base, seed=7, kind=KINDS["ia3"]),
        **{name: save_adapter(root / name, base, seed=8, kind=kind) for name, kind in ADDED.items()},
    }
