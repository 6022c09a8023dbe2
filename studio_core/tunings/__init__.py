"""The ways of tuning that the studio offers: which weights learn. This list is the only one that names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio_core.base.errors import BadInput
from studio_core.tunings.adalora import ADALORA
from studio_core.tunings.base import DEFAULT, Case, Tuning
from studio_core.tunings.bitfit import BITFIT
from studio_core.tunings.bottleneck import BOTTLENECK
from studio_core.tunings.freeze import FREEZE
from studio_core.tunings.full import FULL
from studio_core.tunings.ia3 import IA3
from studio_core.tunings.layernorm import LAYERNORM
from studio_core.tunings.lora import LORA
from studio_core.tunings.oft import OFT
from studio_core.tunings.p_tuning import P_TUNING
from studio_core.tunings.prefix_tuning import PREFIX_TUNING
from studio_core.tunings.prompt_tuning import PROMPT_TUNING
from studio_core.tunings.qlora import QLORA
from studio_core.tunings.vera import VERA

TUNINGS: dict[str, Tuning] = {
    tuning.name: tuning
    for tuning in (
        FULL,
        FREEZE,
        LORA,
        QLORA,
        ADALORA,
        VERA,
        OFT,
        IA3,
        LAYERNORM,
        BOTTLENECK,
        BITFIT,
        PREFIX_TUNING,
        PROMPT_TUNING,
        P_TUNING,
    )
}

__all__ = ["DEFAULT", "TUNINGS", "named", "problems", "without_others"]


def without_others(tuning: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a run that was stored, without those of other tunings.

    Before tunings had options of their own LoRA's were there in every run, and had no effect in most.
    """
    mine = TUNINGS[tuning].Options.model_fields if tuning in TUNINGS else {}
    others = {name for other in TUNINGS.values() for name in other.Options.model_fields} - mine.keys()
    return {name: value for name, value in options.items() if name not in others}


def named(name: str) -> Tuning:
    """The way of tuning of that name; raises ``BadInput`` that lists the known ones."""
    if name not in TUNINGS:
        raise BadInput("tunings.unknown", name=name, known=", ".join(TUNINGS))
    return TUNINGS[name]


def problems(tuning: Tuning, case: Case) -> list[BadInput]:
    """What that way of tuning cannot do of what is asked: what follows from its facts, then what it says itself."""
    found = []
    if case.adapter and (problem := _of_adapter(tuning, case)):
        found.append(problem)
    if not tuning.whole and not case.writes:
        found += _of_scorer(case)
    if case.checkpointing == "on" and not tuning.checkpoints:
        found.append(BadInput("tunings.no_checkpointing", tuning=tuning.name))
    return [*found, *tuning.against(case)]


def _of_scorer(case: Case) -> list[BadInput]:
    """What scores is merged into complete weights at its end, since what loads classifiers takes no adapter."""
    found = []
    if case.quantised:
        found.append(BadInput("tunings.quantised_scorer", model=case.model))
    if case.gpus > 1 and case.parallel == "fsdp":
        found.append(BadInput("tunings.scorer_in_shards"))
    return found


def _of_adapter(tuning: Tuning, case: Case) -> BadInput | None:
    """An adapter is continued by what made it, or merged into complete weights first."""
    makers = [name for name, other in TUNINGS.items() if other.adapter == case.adapter]
    known = ", ".join(makers) or case.adapter
    if tuning.whole or not case.writes:
        merges = any(TUNINGS[name].merges for name in makers)
        return None if merges else BadInput("tunings.unmergeable", model=case.model, kind=known)
    if tuning.adapter == case.adapter:
        return None
    return BadInput("tunings.other_adapter", model=case.model, kind=known, tuning=tuning.name)
