"""Vectors that an adapter puts before every prompt, in a decoding loop with a cache.

Prompt tuning and P-tuning put learnt embeddings before those of the words; prefix tuning puts learnt keys and values
into the cache of every layer. Both take part once, when a prompt is read. PEFT's own ``forward`` would put them before
each new token too, since it knows of no cache.
"""

from __future__ import annotations

from typing import Any

import torch
from peft import PeftModel, PeftType


def number_of(model: Any) -> int:
    """How many virtual tokens stand before every prompt of ``model``; 0 where its adapter is of another kind."""
    if not isinstance(model, PeftModel) or not model.active_peft_config.is_prompt_learning:
        return 0
    return int(model.active_peft_config.num_virtual_tokens)


def inserted(model: PeftModel, inputs: dict[str, Any]) -> dict[str, Any]:
    """What the base model is to be given in place of ``inputs``, which know nothing of virtual tokens.

    ``inputs`` are ids ``(rows, new)``, the mask ``(rows, all)``, the positions of what is new, and a cache if any.
    The virtual tokens have the positions from 0 on, before any padding, as in training.
    """
    ids, rows, number = inputs["input_ids"], len(inputs["input_ids"]), number_of(model)
    mask = torch.cat([inputs["attention_mask"].new_ones(rows, number), inputs["attention_mask"]], dim=1)
    positions = inputs["position_ids"] + number
    given = {**inputs, "attention_mask": mask, "position_ids": positions}
    # A cache holds them already: they were put before the prompt when it was read.
    if inputs.get("past_key_values") is not None:
        return given
    learnt = model.get_prompt(rows)
    if model.active_peft_config.peft_type == PeftType.PREFIX_TUNING:
        return {**given, "past_key_values": learnt}
    words = model.word_embeddings(ids)
    first = torch.arange(number, device=ids.device).expand(rows, -1)
    return {
        **given,
        "input_ids": None,
        "inputs_embeds": torch.cat([learnt.to(words.dtype), words], dim=1),
        "position_ids": torch.cat([first, positions], dim=1),
    }
