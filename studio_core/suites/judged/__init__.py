"""Open questions, of which a judge says what an answer is worth. This list is the only one that names its protocols."""

from __future__ import annotations

from studio_core.suites.judged.alpaca_eval import AlpacaEval
from studio_core.suites.judged.arena_hard import ArenaHard
from studio_core.suites.judged.mt_bench import MtBench, MtBenchPairs
from studio_core.suites.judged.protocol import Protocol
from studio_core.suites.judged.rubric import Rubric, RubricPairs

PROTOCOLS: dict[str, type[Protocol]] = {
    protocol.name: protocol
    for protocol in (MtBench, MtBenchPairs, AlpacaEval, ArenaHard, Rubric, RubricPairs)
}
"""By name; ``PROTOCOLS[name](**options)`` is one with options, and raises ``BadInput`` of one that cannot be."""
