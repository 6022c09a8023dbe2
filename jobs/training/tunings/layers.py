"""Which layers of a model a way of tuning works on: what architectures call them."""

from __future__ import annotations

from typing import Any

from studio_core.base.errors import BadInput

ATTENTION = {
    "q_proj", "k_proj", "v_proj", "o_proj", "out_proj", "qkv_proj", "query_key_value", "Wqkv", "c_attn",
}  # fmt: skip
KEYS_AND_VALUES = {"k_proj", "v_proj", "qkv_proj", "query_key_value", "Wqkv", "c_attn"}
"""Where an architecture has keys and values in one layer with queries, that one."""
BACK_TO_WIDTH = {"down_proj", "fc2", "w2", "dense_4h_to_h", "fc_out"}
"""The second layer of the feed-forward block."""


def layers_named(model: Any, names: set[str], refusal: str, name: str) -> list[str]:
    """Those of ``names`` that occur in the model; raises ``BadInput`` with the key ``refusal`` if none does."""
    # By the last part of a path alone: layers of one kind are called alike in all blocks.
    known = {path.rpartition(".")[2] for path, _ in model.named_modules()}
    if not known & names:
        raise BadInput(refusal, model=name)
    return sorted(known & names)
