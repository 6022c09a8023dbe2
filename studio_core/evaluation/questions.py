"""The suite and the items that a choice of an evaluation means: of a suite's file, or of a test set.

Workers import this: no database here.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from studio_core.base.errors import BadInput
from studio_core.evaluation import test_set
from studio_core.evaluation.protocols import protocol_of
from studio_core.runs.spec import ResolvedSuite, SuiteChoice
from studio_core.suites import SUITES, Item, Suite, assertions, lm_eval

DRAWING = ("max_tokens", "samples", "temperature", "tools_in_prompt")
"""What a choice may say of how answers are drawn."""


def suite_of(choice: SuiteChoice) -> Suite:
    """With what the choice says of it; raises ``BadInput`` where it says what cannot be."""
    if choice.dataset:
        return _drawn(choice, test_set.suite_of(choice))
    suite, protocol = _named(choice.name), protocol_of(choice)
    return _drawn(choice, replace(suite, protocol=protocol, unit=protocol.unit) if protocol else suite)


def _drawn(choice: SuiteChoice, suite: Suite) -> Suite:
    """With the answers drawn as the choice says."""
    wanted = {name: getattr(choice, name) for name in DRAWING if getattr(choice, name) is not None}
    if suite.benchmark and (refused := wanted.keys() - {*suite.benchmark.takes}):
        raise BadInput("evaluation.benchmark_drawing", suite=choice.title, options=", ".join(sorted(refused)))
    if "tools_in_prompt" in wanted and not suite.environment:
        raise BadInput("evaluation.no_tools", suite=choice.title)
    drawn = replace(suite, **wanted)
    if drawn.samples > 1 and not drawn.temperature:
        raise BadInput("evaluation.samples_alike", suite=choice.title, samples=drawn.samples)
    return drawn


def _named(name: str) -> Suite:
    """A suite of the studio, a published one, a task of lm-evaluation-harness; else tests that a person has brought."""
    return SUITES.get(name) or lm_eval.suite(name) or assertions.suite(name)


def items_of(resolved: ResolvedSuite) -> tuple[Item, ...]:
    """All, each with an id; raises ``BadInput`` where there is none or the file is not of the suite's shape."""
    choice = resolved.choice
    if _named(choice.name).of_program:
        # Its own program knows them.
        return ()
    if resolved.dataset is not None:
        items = tuple(test_set.items(choice, resolved.dataset))
    else:
        items = _read(_named(choice.name), Path(resolved.path))
    if not items:
        raise BadInput("evaluation.no_items", suite=choice.title)
    return tuple(
        item if item.id else replace(item, id=str(number)) for number, item in enumerate(items, start=1)
    )


def _read(suite: Suite, file: Path) -> tuple[Item, ...]:
    try:
        return suite.read(file)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"[:200]
        raise BadInput("evaluation.not_the_shape", suite=suite.name, path=file, reason=reason) from error


def chosen(count: int, limit: int | None) -> Sequence[int]:
    """Places of so many items, rising: spread over the suite, since many are sorted by subject, the same each time, and
    those of a lower limit among those of a higher one."""
    if limit is None or limit >= count:
        return range(count)
    order = random.Random(0).sample(range(count), count)
    return sorted(order[:limit])
