"""The published suites of open questions. No rule knows what an answer to one is worth: a judge is asked."""

from __future__ import annotations

from studio_core.base.errors import BadInput
from studio_core.suites.base import Item, Source, Suite, Verdict
from studio_core.suites.judged import alpaca_eval, arena_hard, mt_bench
from studio_core.suites.judged.references import joined

# Long answers are part of what is asked for. FastChat draws 1,024, AlpacaEval and Arena-Hard 2,048 and more.
_MT_BENCH_TOKENS, _LONG = 1024, 2048


def needs_judge(item: Item, answer: str) -> Verdict:
    """Raises ``BadInput``: the suite's protocol says what an answer is worth."""
    raise BadInput("suites.needs_judge", suite=item.suite)


MT_BENCH = Suite(
    "mt_bench",
    needs_judge,
    max_tokens=_MT_BENCH_TOKENS,
    temperatures=mt_bench.TEMPERATURES,
    item=mt_bench.item,
    source=Source(
        "HuggingFaceH4/mt_bench_prompts",
        "train",
        licence="Apache-2.0",
        about="https://arxiv.org/abs/2306.05685",
    ),
    joined=joined,
    answers_optional=True,
    scored_by="judge",
    unit="score",
    protocol=mt_bench.MtBench(),
)
ALPACA_EVAL = Suite(
    "alpaca_eval",
    needs_judge,
    max_tokens=_LONG,
    item=alpaca_eval.item,
    source=Source(
        "tatsu-lab/alpaca_eval",
        "eval",
        "alpaca_eval_gpt4_baseline",
        licence="CC-BY-NC-4.0",
        about="https://arxiv.org/abs/2404.04475",
    ),
    joined=joined,
    answers_optional=True,
    scored_by="judge",
    protocol=alpaca_eval.AlpacaEval(),
)
ARENA_HARD = Suite(
    "arena_hard",
    needs_judge,
    max_tokens=_LONG,
    item=arena_hard.item,
    source=Source("", licence="Apache-2.0", about="https://github.com/lmarena/arena-hard-auto"),
    joined=joined,
    answers_optional=True,
    scored_by="judge",
    protocol=arena_hard.ArenaHard(),
)
