"""What ways of tuning share that put learnt vectors before every prompt (PEFT calls it prompt learning)."""

from __future__ import annotations

from studio_core.base.errors import BadInput
from studio_core.options import option
from studio_core.tunings.base import Case, TuningOptions

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
