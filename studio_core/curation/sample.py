"""Draw a number of records, evenly or with the same shares of each kind."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

from studio_core.base.errors import BadInput
from studio_core.curation import columns, features
from studio_core.curation.base import Operation, OperationOptions, Work
from studio_core.data.shapes import Record
from studio_core.options import option

# A column with more different values is no kind of anything: an id, most likely.
MOST_KINDS = 100_000
"""Different values of a column by which records are drawn alike."""


Kind = TypeVar("Kind", bound=Hashable)


class SampleOptions(OperationOptions):
    n: int = option(0, at_least=0, at_most=100_000_000, unit="records", advanced=False)
    share: float = option(0.1, at_least=0.000001, at_most=1, advanced=False)
    alike: str = option("", choices_of="columns", advanced=False)


def run(work: Work, options: SampleOptions) -> None:
    column = options.alike
    names = columns.needed(work.source, column)

    def kind_of(record: Record, features_: dict[str, Any]) -> str:
        return columns.text(columns.value(column, record, features_)) if column else ""

    work.passes = 2 if column else 1
    sizes = _sizes(work, names, kind_of) if column else Counter({"": work.source.rows})
    # Exact numbers, not chances: a tenth of 50 is 5 and never 2 or 9.
    draw = Draw(sizes, quotas(sizes, _wanted(work, options)), random.Random(work.seed))
    output = work.output()
    for batch in features.beside(work, names):
        for row, record, features_ in batch:
            is_drawn = draw(kind_of(record, features_))
            if is_drawn:
                output.add(record, row)
            work.count("kept" if is_drawn else "dropped")


def _wanted(work: Work, options: SampleOptions) -> int:
    return min(options.n or max(1, round(options.share * work.source.rows)), work.source.rows)


def _sizes(work: Work, names: list[str], kind_of: Callable[[Record, dict[str, Any]], str]) -> Counter[str]:
    """How many records there are of each kind."""
    sizes: Counter[str] = Counter()
    for batch in features.beside(work, names):
        sizes.update(kind_of(record, features_) for _, record, features_ in batch)
        # While counting, and not after: a column of unlike texts would fill the memory.
        if len(sizes) > MOST_KINDS:
            raise BadInput("curation.too_many_kinds", kinds=len(sizes), limit=MOST_KINDS)
    work.go_on()
    return sizes


def quotas(sizes: Mapping[Kind, float], wanted: int) -> dict[Kind, int]:
    """``wanted`` shared out in proportion to the sizes; what is left over goes to the largest remainders."""
    total = sum(sizes.values())
    exact = {kind: wanted * size / total for kind, size in sizes.items()}
    shared = {kind: int(share) for kind, share in exact.items()}
    by_remainder = sorted(exact, key=lambda kind: shared[kind] - exact[kind])
    for kind in by_remainder[: wanted - sum(shared.values())]:
        shared[kind] += 1
    return shared


class Draw:
    """Draws exactly as many of each kind as wanted, seeing each record once (Knuth's selection sampling)."""

    def __init__(self, sizes: Counter[str], wanted: dict[str, int], chance: random.Random) -> None:
        self._left = dict(sizes)
        self._wanted = dict(wanted)
        self._chance = chance

    def __call__(self, kind: str) -> bool:
        left, wanted = self._left[kind], self._wanted[kind]
        is_drawn = self._chance.random() * left < wanted
        self._left[kind] = left - 1
        self._wanted[kind] = wanted - is_drawn
        return is_drawn


SAMPLE = Operation(name="sample", Options=SampleOptions, run=run, group="choose")
