"""Memory that is needed from the second step on, held in the first one: so that it runs out there or never.

AdamW makes its two moments when it first steps, after the backward pass of the longest batch. Without this the next
batch of like length would be the one that finds no room.
"""

from __future__ import annotations

from typing import Any

import torch


def hold_moments(optimizer: Any) -> None:
    """Hold 8 bytes a trained parameter until ``optimizer`` takes its first step; of an AdamW that took none yet."""
    inner = getattr(optimizer, "optimizer", optimizer)  # Accelerate wraps it.
    if not isinstance(inner, torch.optim.AdamW) or inner.state:
        return
    weights = [weight for group in inner.param_groups for weight in group["params"]]
    # Zeros that are written, so that the memory is really taken: of pages that nobody has touched there may be none.
    held = [torch.zeros_like(weight, requires_grad=False) for weight in weights for _ in range(2)]

    # It stays, and has nothing to do from then on: an optimiser's hooks must not change while it goes through them.
    inner.register_step_pre_hook(lambda *_: held.clear())
