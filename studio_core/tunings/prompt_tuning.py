"""Prompt tuning (Lester et al. 2021, arXiv:2104.08691): embeddings of virtual tokens before every prompt learn.

They begin as the embeddings of words drawn from the vocabulary, and so the model does not begin quite as it was. Few
numbers learn, all at one end of the model: it takes a large model, which needs only be told what it can do already.
"""

from __future__ import annotations

from studio_core.models.size import ModelSize
from studio_core.tunings import virtual_tokens
from studio_core.tunings.virtual_tokens import LEAST, VirtualTokenOptions


def trained(size: ModelSize, options: VirtualTokenOptions) -> int:
    return options.virtual_tokens * size.hidden


# Lester et al. train at 0.3 under Adafactor, some hundred times what is usual for all weights.
PROMPT_TUNING = virtual_tokens.tuning("prompt_tuning", trained, rate=50.0, least=LEAST)
