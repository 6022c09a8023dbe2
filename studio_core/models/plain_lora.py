"""Whether a LoRA adapter is one A and B of its rank a layer, as its ``adapter_config.json`` says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_BESIDES = (
    "use_dora",
    "modules_to_save",
    "rank_pattern",
    "target_parameters",
    "trainable_token_indices",
    "lora_bias",
)
"""Settings under which it is more: whoever takes its A and B alone would drop the rest without a word."""


def besides(config: Mapping[str, Any]) -> list[str]:
    """The settings by which an adapter of LoRA is more than that; empty if it is plain."""
    more = [name for name in _BESIDES if config.get(name)]
    return more if config.get("bias", "none") == "none" else [*more, "bias"]
