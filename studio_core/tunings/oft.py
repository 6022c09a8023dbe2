"""OFT (Qiu et al. 2023, arXiv:2306.07280): what goes into a frozen linear layer is turned by small rotations.

A layer computes ``W R x``. R has rotations of ``oft_block`` numbers on its diagonal; it changes no length and no
angle among what the layer tells apart, and so keeps much of what the model knows. BOFT, which composes sparse
rotations, is not offered: PEFT has it for GPUs with a compiler only, and falls back to this without a word elsewhere.
"""

from __future__ import annotations

from studio_core.base.errors import BadInput
from studio_core.models.size import ModelSize
from studio_core.options import option
from studio_core.tunings.base import Case, Tuning, TuningOptions


class OftOptions(TuningOptions):
    # PEFT's: it divides the widths of nearly all models.
    oft_block: int = option(32, at_least=2, at_most=1024, advanced=False)


def trained(size: ModelSize, options: OftOptions) -> int:
    """A rotation of n numbers has n (n - 1) / 2 angles."""
    return size.linear_inputs * (options.oft_block - 1) // 2


def against(case: Case) -> list[BadInput]:
    block, size = case.options.get("oft_block"), case.size
    if not block or size is None or not (size.hidden % block or size.intermediate % block):
        return []
    widths = f"{size.hidden}, {size.intermediate}"
    return [BadInput("tunings.oft_block_misfit", model=case.model, block=block, widths=widths)]


OFT = Tuning(
    name="oft",
    Options=OftOptions,
    whole=False,
    trained=trained,
    frozen=lambda size, width: width * size.parameters,
    against=against,
    adapter="OFT",
    # At six times this the demo model learnt nothing (docs/tunings.md); rates between were not tried.
    rate=2.0,
    instead="lora",
)
