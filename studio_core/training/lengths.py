"""How long the rows of a dataset are in tokens of a model."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.data import store, tokenized
from studio_core.data.learning import Learning
from studio_core.data.shapes import Shape
from studio_core.runs.spec import ResolvedModel

SAMPLE = 2_000
NOTED = 100
"""Rows that are looked at in every detail, which takes some ten times as long as counting their tokens."""
_SLICES = 20
_LOOKED_AT = 20
"""Records that are asked for an answer at once: mostly the first ones have one."""


@dataclass(frozen=True)
class Lengths:
    """Tokens of each row that was measured; of a pair, its longer side counts and both are trained."""

    tokens: tuple[int, ...]
    sides: float
    """Sequences that one row makes: 2 for a pair of answers, for rankings their mean number of answers."""
    sampled: bool
    notes: frozenset[str] = frozenset()
    """What is worth knowing of how rows become tokens: keys of the catalogue, ``data.rendering_<note>``."""

    @property
    def longest(self) -> int:
        return max(self.tokens, default=0)

    def share_above(self, limit: int) -> float:
        return sum(length > limit for length in self.tokens) / max(1, len(self.tokens))

    def mean_up_to(self, limit: int) -> float:
        """Mean tokens that a row brings, when longer ones are cut at ``limit``."""
        total = sum(min(length, limit) for length in self.tokens)
        return self.sides * total / max(1, len(self.tokens))


_KNOWN: OrderedDict[tuple[str, str, str, Learning], Lengths] = OrderedDict()


def measured(studio: Studio, dataset: Dataset, model: ResolvedModel, learning: Learning) -> Lengths:
    """Lengths of all rows, or of 2,000 spread evenly over a larger set; remembered for later plans."""
    key = (dataset.sha256, model.path, model.chat_template or "", learning)
    if key not in _KNOWN:
        shape = Shape(dataset.shape)
        looked_at = sample(studio, dataset, SAMPLE)
        tokens = tokenized.lengths(model, shape, looked_at, learning)
        notes = tokenized.count_notes(model, shape, sample(studio, dataset, NOTED), learning)
        sides = 2.0 if shape == Shape.PREFERENCE else 1.0
        if shape == Shape.RANKING:
            sides = sum(len(record["ranks"]) for record in looked_at) / max(1, len(looked_at))
        _KNOWN[key] = Lengths(tuple(tokens), sides, dataset.rows > SAMPLE, frozenset(notes))
        # Each holds up to 2,000 numbers: a megabyte or two in all, for more forms than are open at once.
        while len(_KNOWN) > 32:
            _KNOWN.popitem(last=False)
    return _KNOWN[key]


def nothing_learnt(
    studio: Studio, dataset: Dataset, model: ResolvedModel, limit: int, learning: Learning
) -> bool:
    """Whether cutting at ``limit`` tokens loses every answer; to be asked where all rows are longer than that."""
    shape, records = Shape(dataset.shape), sample(studio, dataset, SAMPLE)
    parts = (records[start : start + _LOOKED_AT] for start in range(0, len(records), _LOOKED_AT))
    return not any(tokenized.any_learnt(model, shape, part, limit, learning) for part in parts)


def sample(studio: Studio, dataset: Dataset, count: int) -> list[dict[str, Any]]:
    """Up to ``count`` records spread evenly over the dataset, the same ones each time."""
    if dataset.rows <= count:
        return list(store.records(studio, dataset, limit=count))
    each = count // _SLICES
    starts = [part * (dataset.rows - each) // (_SLICES - 1) for part in range(_SLICES)]
    return [record for start in starts for record in store.records(studio, dataset, offset=start, limit=each)]
