"""Set a part aside to test on: by prompt, so that none is on both sides."""

from __future__ import annotations

from studio_core.curation.base import Operation, OperationOptions, Source, Work
from studio_core.curation.parts import fingerprint, normalised, prompt_of
from studio_core.data.shapes import Record
from studio_core.options import option

SMALL = 100
"""Records expected on the smaller side, below which it is made sure that there is one at all."""

# A hash of 64 bits as a share of all: rows stay on their side when others are added.
_ALL = 1 << 64


class SplitOptions(OperationOptions):
    share: float = option(0.1, at_least=0.0001, at_most=0.9999, advanced=False)


def run(work: Work, options: SplitOptions) -> None:
    below = round(options.share * _ALL)
    if work.source.rows * min(options.share, 1 - options.share) < SMALL:
        below = _with_both_sides(work.source, work.seed, below)
    train, held_out = work.output(suffix="-train"), work.output(suffix="-held-out")
    for row, record in work.each():
        aside = place(record, work.seed) < below
        (held_out if aside else train).add(record, row)
        work.count("held_out" if aside else "train")


def place(record: Record, seed: int) -> int:
    """Where the prompt falls, from 0 to 2**64: the same one always in the same place, whatever stands beside it.

    So what was set aside stays aside when records are added and the dataset is split again.
    """
    return fingerprint(f"{seed}\n{normalised(prompt_of(record))}")


def _with_both_sides(source: Source, seed: int, below: int) -> int:
    """The limit, moved as little as needed for a small dataset to have a prompt on each side."""
    places = sorted({place(record, seed) for record in source.records()})
    if len(places) < 2:
        return below
    return min(max(below, places[0] + 1), places[-1])


SPLIT = Operation(name="split", Options=SplitOptions, run=run, group="choose")
