"""Several datasets as one: one after the other, or by weights."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Iterator, Sequence

from pydantic import field_validator

from studio_core.base.errors import BadInput
from studio_core.curation.base import Operation, OperationOptions, Source, Work
from studio_core.curation.convert import Convert, conversion
from studio_core.curation.sample import Draw, quotas
from studio_core.data.shapes import Record, Shape, further_columns
from studio_core.options import option

# No dataset here has more records; a number typed by mistake is told.
MOST = 100_000_000

_ALIKE = {Shape.PROMPT_COMPLETION, Shape.CHAT}


class MixOptions(OperationOptions):
    weights: list[float] = option([], advanced=False)
    n: int = option(0, at_least=0, at_most=MOST, unit="records", advanced=False)

    @field_validator("weights")
    @classmethod
    def _positive(cls, weights: list[float]) -> list[float]:
        wrong = next((weight for weight in weights if not 0 <= weight <= 1e9), None)
        if wrong is not None or (weights and not any(weights)):
            raise BadInput("curation.weight", weight=wrong or 0)
        return weights


def run(work: Work, options: MixOptions) -> None:
    sizes = wanted(work.sources, options)
    converts = [_conversion(source, work.source) for source in work.sources]
    keep = list(dict.fromkeys(name for source in work.sources for name in source.kept))
    keep = further_columns(work.source.shape, keep)
    output = work.output(keep=keep)
    streams = [
        # A generator for each source: what one draws does not depend on how many the others have.
        _drawn(source, size, random.Random(f"{work.seed} {place}"))
        for place, (source, size) in enumerate(zip(work.sources, sizes, strict=True))
    ]
    merged = _merged(streams, sizes) if options.weights else _one_by_one(streams)
    for count, (which, record) in enumerate(merged, start=1):
        if work.stopping():
            return
        further = {name: record.get(name) for name in keep}
        for new in converts[which](record):
            output.add({**new, **further})
            work.count(work.sources[which].title)
        work.report(count, sum(sizes), {})


def expected(sources: list[Source], options: MixOptions) -> dict[str, int]:
    """What the result will hold, by dataset."""
    counts: Counter[str] = Counter()
    for source, size in zip(sources, wanted(sources, options), strict=True):
        _conversion(source, sources[0])
        counts[source.title] += size
    return dict(counts)


def wanted(sources: Sequence[Source], options: MixOptions) -> list[int]:
    """How many records of each: as the weights say, and as many in all as asked for.

    If no number is asked for, it is the largest for which no record is needed twice.
    """
    rows = [source.rows for source in sources]
    if options.weights and len(options.weights) != len(sources):
        raise BadInput("curation.weights", weights=len(options.weights), datasets=len(sources))
    weights = options.weights or [float(count) for count in rows]
    total = options.n or min(
        round(count * sum(weights) / weight) for count, weight in zip(rows, weights, strict=True) if weight
    )
    shares = quotas(dict(enumerate(weights)), total)
    # Rounding may give one too many.
    return [shares[place] if options.n else min(shares[place], count) for place, count in enumerate(rows)]


def _conversion(source: Source, first: Source) -> Convert:
    """All become what the first one is; only prompts with answers and chats become each other."""
    convert = conversion(source.shape, first.shape) if {source.shape, first.shape} <= _ALIKE else None
    if source.shape is first.shape:
        return lambda record: iter((record,))
    if convert is None:
        raise BadInput(
            "curation.shapes_differ",
            one=first.title,
            shape=first.shape,
            other=source.title,
            other_shape=source.shape,
        )
    return convert


def _drawn(source: Source, size: int, chance: random.Random) -> Iterator[Record]:
    """``size`` records: all of them as often as that goes, and the rest drawn."""
    passes, rest = divmod(size, source.rows)
    for _ in range(passes):
        yield from source.records()
    # Nothing is drawn twice before everything was taken once.
    if rest:
        draw = Draw(Counter({"": source.rows}), {"": rest}, chance)
        yield from (record for record in source.records() if draw(""))


def _one_by_one(streams: list[Iterator[Record]]) -> Iterator[tuple[int, Record]]:
    for which, stream in enumerate(streams):
        yield from ((which, record) for record in stream)


def _merged(streams: list[Iterator[Record]], sizes: list[int]) -> Iterator[tuple[int, Record]]:
    """Evenly mixed: next comes the stream that is furthest behind its share."""
    # Half a record into its share, so that a small source comes in the middle of its stretch and not at the end.
    due = [(0.5 / size, which) for which, size in enumerate(sizes) if size]
    heapq.heapify(due)
    counts = [0] * len(sizes)
    while due:
        _, which = heapq.heappop(due)
        record = next(streams[which], None)
        if record is None:
            continue
        yield which, record
        counts[which] += 1
        if counts[which] < sizes[which]:
            heapq.heappush(due, ((counts[which] + 0.5) / sizes[which], which))


MIX = Operation(
    name="mix", Options=MixOptions, run=run, several=True, by_record=False, expects=expected, group="choose"
)
