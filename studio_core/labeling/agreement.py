"""How far annotators agree with one another and with themselves, and what biases they show.

Krippendorff's alpha (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability") takes any number
of annotators and missing votes; its interval is a bootstrap over items. Cohen's kappa (Cohen 1960) is
for two who judged the same items.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from statistics import median
from typing import Any

import numpy as np
from sqlalchemy import Row

from studio_core.labeling.winrate import wilson
from studio_core.tables import Annotation

SHARED = 20
"""Below so many shared items agreement is not shown: it would say nothing."""
FAST = 2.0
"""Seconds: who votes faster has hardly read."""
BOOTSTRAPS = 1000
DECIDED = ("a", "b", "tie", "both_bad")


@dataclass(frozen=True)
class Share:
    """A share with its 95 % Wilson interval."""

    count: int
    of: int
    low: float
    high: float

    @property
    def rate(self) -> float | None:
        return self.count / self.of if self.of else None


def share(count: int, of: int) -> Share:
    low, high = wilson(count / of if of else 0.0, of)
    return Share(count, of, low, high)


@dataclass(frozen=True)
class Agreement:
    """Among annotators who judged the same items."""

    items: int
    """Judged by two or more."""
    raw: float | None
    """Share of pairs of votes on the same item that say the same."""
    alpha: float | None
    alpha_low: float | None
    alpha_high: float | None
    kappas: dict[str, float] = field(default_factory=dict)
    """``{"anna / ben": kappa}`` of two who share at least ``SHARED`` items."""


def agreement(votes: Mapping[int, Mapping[str, str]], *, seed: int = 0) -> Agreement:
    """``votes``: ``{item: {annotator: verdict}}``. Figures are None below ``SHARED`` shared items."""
    shared = {item: said for item, said in votes.items() if len(said) > 1}
    if len(shared) < SHARED:
        return Agreement(len(shared), None, None, None, None)
    same = total = 0
    for said in shared.values():
        pairs = list(combinations(said.values(), 2))
        same, total = same + sum(a == b for a, b in pairs), total + len(pairs)
    alpha, low, high = _alpha_with_interval(list(shared.values()), seed)
    return Agreement(len(shared), same / total, alpha, low, high, _kappas(shared))


def _alpha_with_interval(
    units: Sequence[Mapping[str, str]], seed: int
) -> tuple[float | None, float | None, float | None]:
    """Alpha, and the 2.5 and 97.5 % points of alphas over items drawn again."""
    values = sorted({verdict for said in units for verdict in said.values()})
    counts = np.array([[list(said.values()).count(value) for value in values] for said in units])
    alpha = _alpha(counts)
    if alpha is None:
        return None, None, None
    random = np.random.default_rng(seed)
    drawn = [_alpha(counts[random.integers(0, len(counts), len(counts))]) for _ in range(BOOTSTRAPS)]
    known = [value for value in drawn if value is not None]
    low, high = np.percentile(known, [2.5, 97.5]) if known else (alpha, alpha)
    return alpha, float(low), float(high)


def _alpha(counts: np.ndarray[Any, Any]) -> float | None:
    """Of a table of items by verdicts; None if all said the same, when alpha is not defined."""
    if (counts.sum(axis=0) > 0).sum() < 2:
        return None
    from krippendorff import alpha

    return float(alpha(value_counts=counts, level_of_measurement="nominal"))


def _kappas(shared: Mapping[int, Mapping[str, str]]) -> dict[str, float]:
    from sklearn.metrics import cohen_kappa_score  # Half a second: not for every page.

    names = sorted({name for said in shared.values() for name in said})
    found: dict[str, float] = {}
    for one, other in combinations(names, 2):
        both = [(said[one], said[other]) for said in shared.values() if one in said and other in said]
        if len(both) >= SHARED and len({verdict for pair in both for verdict in pair}) > 1:
            found[f"{one} / {other}"] = float(cohen_kappa_score(*zip(*both, strict=True)))
    return found


@dataclass(frozen=True)
class Habits:
    """What can be seen of one annotator's, or of everybody's votes."""

    votes: int
    counts: dict[str, int]
    """Votes by verdict."""
    left_wins: Share
    """Of votes for a side, those for the left one: far from a half, the side decides and not the answer."""
    longer_wins: Share
    """Of votes for a side of unlike length, those for the longer answer."""
    fast: Share
    """Votes under ``FAST`` seconds."""
    median_seconds: float | None
    consistent: Share
    """Of pairs judged again, mirrored: those judged the same."""
    hourly: float | None
    """Votes an hour while at work: breaks over five minutes do not count."""


def habits(votes: Sequence[Annotation | Row[Any]], lengths: Mapping[int, Sequence[int]]) -> Habits:
    """From votes that stand, repeats among them, in the order in which they were cast.

    ``lengths``: of the two answers of each item that was judged, in characters.
    """
    first = [vote for vote in votes if vote.repeats_id is None]
    sided = [vote for vote in first if vote.verdict in ("a", "b")]
    left = sum("ab"[vote.order[0]] == vote.verdict for vote in sided)
    unlike = [(vote, both) for vote in sided if len(set(both := lengths[vote.item_id])) > 1]
    longer = sum("ab"[both.index(max(both))] == vote.verdict for vote, both in unlike)
    judged = [vote.seconds for vote in first if vote.verdict != "skip"]
    by_id = {vote.id: vote for vote in votes}
    repeats = [vote for vote in votes if vote.repeats_id in by_id and vote.verdict != "skip"]
    again = [(vote, by_id[vote.repeats_id]) for vote in repeats if vote.repeats_id is not None]
    return Habits(
        votes=len(first),
        counts=dict(Counter(vote.verdict for vote in first)),
        left_wins=share(left, len(sided)),
        longer_wins=share(longer, len(unlike)),
        fast=share(sum(seconds < FAST for seconds in judged), len(judged)),
        median_seconds=median(judged) if judged else None,
        consistent=share(sum(vote.verdict == earlier.verdict for vote, earlier in again), len(again)),
        hourly=_hourly(votes),
    )


def _hourly(votes: Sequence[Annotation | Row[Any]], pause: float = 300.0) -> float | None:
    times = [vote.created_at for vote in votes]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    at_work = [gap for gap in gaps if gap <= pause]
    return 3600 * len(at_work) / sum(at_work) if len(at_work) >= 5 and sum(at_work) > 0 else None
