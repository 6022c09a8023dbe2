"""Prefix tuning (Li and Liang 2021, arXiv:2101.00190): keys and values before every prompt learn, in each layer.

They begin at random, so the model does not begin as it was: the loss starts higher, and DPO's does not start at log 2.
The paper computes them by a network that is thrown away at the end. They learn as well by themselves at a higher rate,
and a run can then be resumed from what is saved.
"""

from __future__ import annotations

from studio_core.models.size import ModelSize
from studio_core.tunings import virtual_tokens
from studio_core.tunings.virtual_tokens import VirtualTokenOptions


def trained(size: ModelSize, options: VirtualTokenOptions) -> int:
    """A key and a value for each virtual token in each layer."""
    return options.virtual_tokens * size.layers * 2 * (size.key_values or size.hidden)


PREFIX_TUNING = virtual_tokens.tuning(
    "prefix_tuning",
    trained,
    # tiny-base learnt to answer at this rate in 375 steps, and hardly at a tenth of it: docs/tunings.md.
    rate=25.0,
    in_sequence=False,
    # Its keys and values come by the cache, which a layer that is computed twice would fill twice.
    checkpoints=False,
)
