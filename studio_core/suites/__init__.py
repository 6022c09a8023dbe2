"""Suites: what a model can do, as what its answers are worth. This list is the only one that names them."""

from __future__ import annotations

from pathlib import Path

from studio_core.suites import assertions, lm_eval
from studio_core.suites.aime import AIME24, AIME25
from studio_core.suites.base import Item, Source, Suite, Verdict
from studio_core.suites.benchmarks import BENCHMARKS
from studio_core.suites.bfcl import BFCL
from studio_core.suites.drift import DRIFT
from studio_core.suites.facts import FACTS
from studio_core.suites.gpqa import GPQA
from studio_core.suites.gsm8k import GSM8K
from studio_core.suites.humaneval import HUMANEVAL
from studio_core.suites.identity import IDENTITY
from studio_core.suites.ifeval import IFEVAL
from studio_core.suites.instructions import INSTRUCTIONS
from studio_core.suites.judged.suites import ALPACA_EVAL, ARENA_HARD, MT_BENCH
from studio_core.suites.livecodebench import LIVECODEBENCH
from studio_core.suites.math500 import MATH500
from studio_core.suites.mbpp import MBPP
from studio_core.suites.mmlu_pro import MMLU_PRO, MMLU_PRO_LIKELIHOOD
from studio_core.suites.perplexity import PERPLEXITY
from studio_core.suites.personas import PERSONAS
from studio_core.suites.sums import SUMS
from studio_core.suites.tool_use import TOOL_USE
from studio_core.suites.unknown import UNKNOWN

__all__ = ["OF_TRAININGS", "OWN", "SUITES", "Item", "Source", "Suite", "Verdict", "suite_in", "suites_in"]

SUITES: dict[str, Suite] = {
    suite.name: suite
    for suite in (
        *(IDENTITY, FACTS, SUMS, INSTRUCTIONS, UNKNOWN, PERSONAS, PERPLEXITY, DRIFT),
        *TOOL_USE,
        # Published ones that are scored from a text.
        *(GSM8K, MATH500, AIME24, AIME25, MMLU_PRO, MMLU_PRO_LIKELIHOOD, GPQA, IFEVAL),
        # Published ones that a judge scores.
        *(MT_BENCH, ALPACA_EVAL, ARENA_HARD),
        # Programs, run in the sandbox, and calls of functions.
        *(HUMANEVAL, MBPP, LIVECODEBENCH, *BFCL),
        # Benchmarks of agents, which their own programs ask and score.
        *BENCHMARKS,
    )
}
OWN: dict[str, Suite] = {name: suite for name, suite in SUITES.items() if suite.source is None}
"""Those of the studio's own, whose questions are always here."""
OF_TRAININGS: dict[str, Suite] = {name: suite for name, suite in OWN.items() if suite.scored_by == "answer"}
"""Those that a training may be stopped by: always here, and scored from answers."""


def suites_in(folder: Path) -> dict[str, Suite]:
    """All by name: these, and those that people have added to the studio's folder of suites."""
    return {**SUITES, **assertions.suites(folder, SUITES)}


def suite_in(folder: Path, name: str) -> Suite | None:
    """The suite of this name: one of those, or a task of lm-evaluation-harness; None if there is none."""
    return lm_eval.suite(name) or suites_in(folder).get(name)
