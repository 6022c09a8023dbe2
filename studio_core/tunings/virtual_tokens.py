"""What ways of tuning share that put learnt vectors before every prompt (PEFT calls it prompt learning)."""

from __future__ import annotations

from collections.abc import Callable

from studio_core.base.errors import BadInput
from studio_core.models.size import ModelSize
from studio_core.options import option
from studio_core.tunings.base import Case, Tuning, TuningOptions

LEAST = 100_000_000
"""Learnt embeddings make a model use what it can do already. A judgement: a model of 2 million parameters learnt little
by them at any rate (docs/tunings.md), and in Lester et al. 2021 (figure 1) they draw level at 10 billion only."""

_KINDS = ("PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING")


class VirtualTokenOptions(TuningOptions):
    # Prompts longer than 20 vectors gained little in Lester et al. 2021 (figure 3a), at any size of model.
    virtual_tokens: int = option(20, at_least=1, at_most=1024, unit="tokens", advanced=False)


def against(case: Case) -> list[BadInput]:
    problems = []
    # The vectors are no part of any layer, so what parts layers among GPUs does not know them.
    if case.gpus > 1 and case.parallel == "fsdp":
        problems.append(BadInput("tunings.needs_ddp", what="virtual_tokens", parallel=case.parallel))
    # PEFT loads such adapters for answers only.
    if case.adapter in _KINDS:
        problems.append(BadInput("tunings.virtual_tokens_again", model=case.model))
    return problems


def tuning(
    name: str,
    trained: Callable[[ModelSize, VirtualTokenOptions], int],
    *,
    rate: float,
    least: int = 0,
    in_sequence: bool = True,
    checkpoints: bool = True,
) -> Tuning:
    """A way of tuning of this kind. ``in_sequence``: its vectors stand in the sequence itself, as tokens do; else each
    layer has keys and values of its own."""
    return Tuning(
        name=name,
        Options=VirtualTokenOptions,
        whole=False,
        trained=trained,
        frozen=lambda size, width: width * size.parameters,
        against=against,
        # What is loaded to score answers takes no adapter, and these cannot be merged.
        suits=lambda method: method.writes,
        instead="lora",
        family="prompts",
        adapter=name.upper(),  # PEFT's names of them are ours.
        merges=False,
        # They stand before a sequence, not before each of the rows that are packed into it.
        packs=False,
        checkpoints=checkpoints,
        added=lambda options: int(options.virtual_tokens) if in_sequence else 0,
        rate=rate,
        least=least,
    )
