"""Questions that are answered with the tools of an environment, over several turns: one suite for each environment.

The model calls, reads results and goes on; its last turn is the answer that is scored. An environment is known here by
its name alone (``Suite.environment``): the worker that asks has its tools.
"""

from __future__ import annotations

from functools import partial

from studio_core.suites import facts, mathematics
from studio_core.suites.base import Item, Suite, Verdict, by

PREFIX = "environment:"
_fact = by(facts.right)


def score(item: Item, answer: str) -> Verdict:
    """A calculation by its final answer, anything else as a fact of the demo world."""
    return mathematics.score(item, answer) if item.kind == "calculation" else _fact(item, answer)


_suite = partial(
    Suite,
    # Of all turns together, results counted: two calls of some 40 tokens, their results and an answer.
    max_tokens=256,
    scored_by="environment",
    # As many as trainings begin with: a call, one more after a mistake, and the answer.
    max_turns=4,
)
TOOL_USE = tuple(
    _suite(PREFIX + environment, score, environment=environment, questions=questions)
    for environment, questions in (
        ("calculator", "calculator"),
        ("world_search", "facts"),
        ("demo_world", "demo_world"),
    )
)
