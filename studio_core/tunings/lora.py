"""LoRA (Hu et al. 2021, arXiv:2106.09685): two narrow matrices learn beside each frozen linear layer.

A layer computes ``W x + alpha / rank * B A x``, where ``A`` is rank x inputs, ``B`` is outputs x rank and begins as
zero, so that training starts from the model as it is.
"""

from __future__ import annotations

from typing import Literal

from studio_core.base.errors import BadInput
from studio_core.models.size import ModelSize
from studio_core.options import option
from studio_core.tunings.base import Case, Tuning, TuningOptions


class LoraOptions(TuningOptions):
    # A judgement: enough for the usual amounts of instructions; more costs memory, and speed in chat.
    lora_rank: int = option(16, at_least=1, at_most=512, advanced=False)
    # Twice the rank, as is usual: the product of the two matrices counts double.
    lora_alpha: int = option(32, at_least=1, at_most=1024)
    lora_dropout: float = option(0.0, at_least=0.0, at_most=0.9)
    # All linear layers: attention alone learns less at any rank (Schulman et al. 2025).
    lora_targets: Literal["all", "attention"] = option("all")


def trained(size: ModelSize, options: LoraOptions) -> int:
    """On every linear layer rank x (inputs + outputs), as if all were as wide as the model: 9% off for Qwen3-0.6B."""
    # Four projections of attention, each with as many inputs as outputs; three of the feed-forward block.
    attention = 4 * 2 * size.hidden
    feed_forward = 3 * (size.hidden + size.intermediate)
    return size.layers * options.lora_rank * (attention + feed_forward)


def against(case: Case) -> list[BadInput]:
    """What scores is merged into complete weights at its end, since what loads classifiers takes no adapter."""
    found = []
    if case.quantised and not case.writes:
        found.append(BadInput("tunings.quantised_scorer", model=case.model))
    if case.gpus > 1 and case.parallel == "fsdp" and not case.writes:
        found.append(BadInput("tunings.scorer_in_shards"))
    return found


LORA = Tuning(
    name="lora",
    Options=LoraOptions,
    whole=False,
    trained=trained,
    frozen=lambda size, width: width * size.parameters,
    against=against,
    adapter="LORA",
    mixes=True,
)
