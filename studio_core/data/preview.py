"""Records as a model sees them in training, as stretches of text for a page."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from studio_core.data.sequences import COMPARED, Tokens
from studio_core.data.shapes import Shape


@dataclass(frozen=True)
class Segment:
    """A stretch of text of one kind."""

    text: str
    trained: bool
    cut: bool
    """Left out by the length limit: not seen in training."""
    part: str = ""
    """Of a pair: ``prompt``, ``chosen`` or ``rejected``; of a ranking ``prompt``, ``ranked 1`` and so on."""


def segments(
    shape: Shape, made: list[Tokens], max_length: int | None = None, left_out: Collection[int] = ()
) -> list[Segment]:
    """A record's text as the model sees it, split where trained and untrained tokens meet.

    Of a pair or a ranking: the prompt, then each answer. ``left_out``: tokens of the prompt.
    """
    if shape not in COMPARED:
        return _split(made[0], range(len(made[0].ids)), "", max_length, left_out)
    stretches = _split(made[0], range(made[0].prompt), "prompt", max_length, left_out)
    for one in made:
        stretches += _split(one, range(one.prompt, len(one.ids)), one.part, max_length, left_out)
    return stretches


def _split(
    sequence: Tokens, places: range, part: str, max_length: int | None, left_out: Collection[int]
) -> list[Segment]:
    """These tokens as stretches of text; what no token covers goes with what precedes it."""
    if not places:
        return []
    first, last = places.start, places.stop
    # What is left out of the prompt makes room for as many more behind it.
    limit = len(sequence.ids) if max_length is None else max_length + len(left_out)
    kinds = [(sequence.trained[place], place >= limit or place in left_out) for place in places]
    turns = [place for place in range(1, len(kinds)) if kinds[place] != kinds[place - 1]]
    starts = [0 if first == 0 else sequence.offsets[first][0]]
    starts += [sequence.offsets[first + place][0] for place in turns]
    whole = last == len(sequence.ids)
    ends = [*starts[1:], len(sequence.text) if whole else sequence.offsets[last][0]]
    return [
        Segment(sequence.text[start:end], trained, cut, part)
        for start, end, (trained, cut) in zip(starts, ends, (kinds[p] for p in [0, *turns]), strict=True)
        if end > start
    ]
