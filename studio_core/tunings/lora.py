"""LoRA (Hu et al. 2021, arXiv:2106.09685): two narrow matrices learn beside each frozen linear layer.

A layer computes ``W x + alpha / rank * B A x``, where ``A`` is rank x inputs, ``B`` is outputs x rank and begins as
zero, so that training starts from the model as it is. What its options change:

    lora_rslora   alpha / sqrt(rank) in place of alpha / rank (Kalajdzievski 2023, arXiv:2312.03732)
    lora_dora     length and direction of W's columns learn apart (Liu et al. 2024, arXiv:2402.09353)
    lora_plus     B learns at so many times the rate of A (Hayou et al. 2024, arXiv:2402.12354)
    lora_init     A and B begin as the largest part of W itself, which W is then without: its singular values (PiSSA,
                  Meng et al. 2024, arXiv:2404.02948) or its QR decomposition (OLoRA, arXiv:2406.01775)

The defaults are those of "LoRA Without Regret" (Schulman et al. 2025): all linear layers, and presets that begin with
ten times the rate of full tuning. A rank of 16 holds what some thousand rows teach; of rewards 1 to 8 hold all.
"""

from __future__ import annotations

from typing import Literal

from studio_core.base.errors import BadInput
from studio_core.models.size import ModelSize
from studio_core.options import option
from studio_core.tunings.base import Case, Tuning, TuningOptions


class LoraOptions(TuningOptions):
    """Those that a base in 4 bits can be had with, too."""

    # A judgement: enough for the usual amounts of instructions; more costs memory, and speed in chat.
    lora_rank: int = option(16, at_least=1, at_most=512, advanced=False)
    # Twice the rank, as is usual: the product of the two matrices counts double.
    lora_alpha: int = option(32, at_least=1, at_most=1024)
    lora_dropout: float = option(0.0, at_least=0.0, at_most=0.9)
    # All linear layers: attention alone learns less at any rank (Schulman et al. 2025).
    lora_targets: Literal["all", "attention"] = option("all")
    lora_rslora: bool = option(False)
    lora_dora: bool = option(False)
    # 1 is plain LoRA; the paper takes 16, at a smaller rate.
    lora_plus: float = option(1.0, at_least=1.0, at_most=100.0)


class LoraFromWeightsOptions(LoraOptions):
    lora_init: Literal["zero", "pissa", "olora"] = option("zero")


def trained(size: ModelSize, options: LoraOptions) -> int:
    """On every linear layer rank x (inputs + outputs), as if all were as wide as the model: 9% off for Qwen3-0.6B."""
    attention = 4 * size.layers * size.hidden
    inputs, outputs = (
        (size.linear_inputs, size.linear_outputs) if options.lora_targets == "all" else (attention, attention)
    )
    return options.lora_rank * (inputs + outputs) + (outputs if options.lora_dora else 0)


def against(case: Case) -> list[BadInput]:
    found = of_shards(case)
    init = case.options.get("lora_init", "zero")
    if init == "zero":
        return found
    # The frozen weights are without what A and B began as, so switching these off does not give the model back.
    if case.compares:
        found.append(BadInput("tunings.init_compared", init=init))
    if case.adapter and case.writes:
        found.append(BadInput("tunings.init_continued", init=init, model=case.model))
    if case.quantised:
        found.append(BadInput("tunings.init_quantised", init=init, model=case.model))
    if case.gpus > 1 and case.parallel != "ddp":
        found.append(BadInput("tunings.needs_ddp", what=f"lora_init {init}", parallel=case.parallel))
    if case.options.get("lora_dora"):
        found.append(BadInput("tunings.init_dora", init=init))
    return found


def of_shards(case: Case) -> list[BadInput]:
    """Rates that differ among weights are set by name, and what shards them renames them."""
    if case.gpus > 1 and case.parallel != "ddp" and case.options.get("lora_plus", 1.0) != 1.0:
        return [BadInput("tunings.needs_ddp", what="lora_plus", parallel=case.parallel)]
    return []


LORA = Tuning(
    name="lora",
    Options=LoraFromWeightsOptions,
    whole=False,
    family="low_rank",
    trained=trained,
    frozen=lambda size, width: width * size.parameters,
    against=against,
    adapter="LORA",
    mixes=True,
    spares=True,
)
