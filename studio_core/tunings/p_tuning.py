"""P-tuning (Liu et al. 2021, arXiv:2103.10385): prompt tuning whose embeddings come out of a small network.

The network (three linear layers, ReLU between them) makes the embeddings depend on each other and learns faster than
they would alone. Only what it gives is kept at the end: a model that was made so cannot be trained further.
"""

from __future__ import annotations

from studio_core.models.size import ModelSize
from studio_core.tunings import virtual_tokens
from studio_core.tunings.virtual_tokens import LEAST, VirtualTokenOptions


def trained(size: ModelSize, options: VirtualTokenOptions) -> int:
    """The input of the network and its three layers, all as wide as the model."""
    return options.virtual_tokens * size.hidden + 3 * (size.hidden + 1) * size.hidden


P_TUNING = virtual_tokens.tuning("p_tuning", trained, rate=1.0, least=LEAST)
