"""What gives the better answer of a pair away without reading it: length, single words, marks.

A model trained on pairs learns the shortest way to tell the sides apart. If longer is nearly always
better, or one word decides, it learns that and little else.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, ClassVar

from pydantic import BaseModel

from studio_core.data.shapes import Shape
from studio_core.reports.batch import Batch
from studio_core.reports.check import Check, Rows
from studio_core.reports.statistics import Share, share

LISTED = 20
_SURE = 4.0
"""Standard deviations of the log-odds. With tens of thousands of words tried, less would be chance."""
_PRIOR = 0.1
"""Weight of the prior, as a part of the counts that it is made of."""
_UNSEEN = 1.0
"""Of all words together that a side has not: no side consists of one word alone."""
# Bounds the memory that a side's words take: beyond it the rare ones are dropped.
_MOST_WORDS = 400_000
_LEAST_SHARE = 0.002
"""Words that decide fewer pairs than this make no shortcut."""

# How answers are laid out, which a model learns before it learns what they say.
_MARKS = {
    "**": "**",
    "```": "```",
    "#": "\n#",
    "- ": "\n- ",
    "1. ": "1. ",
    "!": "!",
    "?": "?",
    "\\n\\n": "\n\n",
    "|": "|",
}


class Marker(BaseModel):
    """A word, or the first word (``^word``), or a mark, that stands in one side of a pair."""

    word: str
    chosen: int
    """Pairs in which only the chosen side has it."""
    rejected: int
    """Pairs in which only the rejected side has it."""
    z: float
    """Log-odds, in standard deviations; positive: it speaks for the chosen side."""
    right: Share
    """Of the pairs in which one side has it, those that it decides rightly."""
    accuracy: float
    """Of all pairs, those told rightly by it alone, with a coin thrown where it says nothing."""


class Pairs(BaseModel):
    identical: int
    longer_chosen: Share
    """Of the pairs of different length, those in which the chosen side has more words."""
    equal_length: int
    median_difference: float
    """Words that the chosen side has more than the rejected one."""
    markers: list[Marker]
    """Those that tell most pairs, best first."""
    shortcut: float
    """Accuracy that the best of all simple rules (length, or one word) reaches alone; 0.5 is chance."""


class PairCheck(Check[Pairs]):
    name: ClassVar[str] = "pairs"
    finds: ClassVar[tuple[str, ...]] = ("identical_pair",)
    shapes: ClassVar[frozenset[Shape]] = frozenset({Shape.PREFERENCE})

    def __init__(self, asked: Any) -> None:
        super().__init__(asked)
        self._chosen: Counter[str] = Counter()
        self._rejected: Counter[str] = Counter()
        self._differences: Counter[int] = Counter()
        self._identical = self._pairs = 0

    def see(self, batch: Batch) -> None:
        sides = zip(batch.parts, batch.answer_words, batch.other_words, strict=True)
        for place, (part, chosen, rejected) in enumerate(sides):
            # By words: a side that differs in spaces only gives nothing to learn.
            if part.answer.split() == part.other.split():
                self._identical += 1
                batch.flag(place, "identical_pair")
                continue
            one, other = _tokens(part.answer, chosen), _tokens(part.other, rejected)
            # Only what one side has and the other has not can give it away.
            self._chosen.update(one - other)
            self._rejected.update(other - one)
            self._differences[len(chosen) - len(rejected)] += 1
        self._pairs += len(batch)
        # After each batch, so that the two tables never grow beyond one batch more.
        for counts in (self._chosen, self._rejected):
            _forget_rare(counts, self._pairs)

    def result(self, rows: Rows) -> Pairs:
        different = rows.count - self._identical
        longer = sum(count for words, count in self._differences.items() if words > 0)
        equal = self._differences[0]
        found = markers(self._chosen, self._rejected, different)
        # Where both are of one length, the rule throws a coin.
        by_length = (longer + equal / 2) / different if different else 0.5
        return Pairs(
            identical=self._identical,
            longer_chosen=share(longer, different - equal),
            equal_length=equal,
            median_difference=_median(self._differences),
            markers=found,
            shortcut=round(max([0.5, by_length, 1 - by_length, *(marker.accuracy for marker in found)]), 4),
        )


def markers(chosen: Counter[str], rejected: Counter[str], pairs: int) -> list[Marker]:
    """Words that one side has far oftener than the other.

    ``chosen`` and ``rejected`` count the pairs in which only that side has the word. By the log-odds with an
    informative Dirichlet prior of Monroe, Colaresi and Quinn (2008); the prior is what both sides have together.
    """
    totals = chosen.total(), rejected.total()
    prior_total = _PRIOR * sum(totals)
    found = []
    for word in {*chosen, *rejected}:
        one, other = chosen[word], rejected[word]
        # Fewer than five pairs prove nothing, however one-sided they are.
        if one + other < max(5, _LEAST_SHARE * pairs):
            continue
        prior = _PRIOR * (one + other)
        odds = [
            math.log((count + prior) / (total + prior_total - count - prior + _UNSEEN))
            for count, total in zip((one, other), totals, strict=True)
        ]
        z = (odds[0] - odds[1]) / math.sqrt(1 / (one + prior) + 1 / (other + prior))
        # A side that is longer has more of every word: the word must also decide pairs in its own right.
        right = max(one, other)
        # Standard deviations of a fair coin thrown once for each pair that has the word.
        alone = (right - (one + other) / 2) / (math.sqrt(one + other) / 2)
        if min(abs(z), alone) >= _SURE and (z > 0) == (one > other):
            accuracy = 0.5 + (right - min(one, other)) / (2 * pairs)
            found.append(
                Marker(
                    word=word[:60],
                    chosen=one,
                    rejected=other,
                    z=round(z, 2),
                    right=share(right, one + other),
                    accuracy=round(accuracy, 4),
                )
            )
    return sorted(found, key=lambda marker: (-marker.accuracy, marker.word))[:LISTED]


def _tokens(text: str, words: list[str]) -> set[str]:
    tokens = set(words)
    if words:
        tokens.add(f"^{words[0]}")
    tokens.update(name for name, mark in _MARKS.items() if mark in text)
    return tokens


def _forget_rare(counts: Counter[str], pairs: int) -> None:
    """Bound the memory: a word that is this rare by now will not become a shortcut."""
    if len(counts) > _MOST_WORDS:
        # A quarter of what counts in the end: a word that stands late in the file may still come up.
        for word in [word for word, count in counts.items() if count < _LEAST_SHARE / 4 * pairs + 2]:
            del counts[word]


def _median(counts: Counter[int]) -> float:
    half, seen = counts.total() / 2, 0
    for value in sorted(counts):
        seen += counts[value]
        if seen >= half:
            return float(value)
    return 0.0
