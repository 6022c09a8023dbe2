"""BitFit (Ben-Zaken et al. 2022, arXiv:2106.10199): the biases of the linear layers learn, and nothing else.

Most models of today have no biases: zeros are added. So ``W x`` becomes ``W x + b``, and training starts from the model
as it is. Biases of norms, which few models have, stay as they are.
"""

from __future__ import annotations

from studio_core.base.errors import BadInput
from studio_core.models.size import ModelSize
from studio_core.tunings.base import Case, Tuning, TuningOptions


def trained(size: ModelSize, options: TuningOptions) -> int:
    return size.linear_outputs


def against(case: Case) -> list[BadInput]:
    """What compares with the adapter that it began with would be given zeros in its place: TRL does not copy biases."""
    if case.adapter == "BEFT" and case.compares:
        return [BadInput("tunings.biases_as_reference", model=case.model)]
    return []


BITFIT = Tuning(
    name="bitfit",
    Options=TuningOptions,
    whole=False,
    trained=trained,
    frozen=lambda size, width: width * size.parameters,
    against=against,
    suits=lambda method: method.writes,
    instead="lora",
    adapter="BEFT",
    # At 25 times LoRA's rate tiny-base learnt to answer in 375 steps; at 10 times it had not in 120: docs/tunings.md.
    rate=25.0,
    merges=False,  # A model without biases has no place for them.
)
