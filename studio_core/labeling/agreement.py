"""How far annotators agree with one another and with themselves, and what biases they show.

Krippendorff's alpha (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability") takes any number
of annotators and missing votes; its interval is a bootstrap over items. Cohen's kappa (Cohen 1960) is
for two who judged the same items. Of ratings, where 7 is nearer to 8 than to 2, alpha is the ordinal one
and kappa is weighted by squares (Cohen 1968, "Weighted kappa").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from statistics import median
from typing import Any, Literal

import numpy as np
from sqlalchemy import Row

from studio_core.base.tables import Annotation
from studio_core.statistics.agreement_rate import SHARED, Share, share

FAST = 2.0
"""Seconds: who votes faster has hardly read."""
# With 1,000 the ends of a 95 % interval rest on 25 draws each.
BOOTSTRAPS = 1000
DECIDED = ("a", "b", "tie", "both_bad")


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


Level = Literal["nominal", "ordinal"]
"""Whether what people say has an order, as ratings have."""

Table = np.ndarray[Any, Any]

Unit = tuple[int, ...]
"""What is judged at once: an item, or of a ranking an item and the places of two of its answers."""


def agreement(
    votes: Mapping[Unit, Mapping[str, Any]], *, level: Level = "nominal", seed: int = 0
) -> Agreement:
    """``votes``: ``{unit: {annotator: what was said}}``. Figures are None below ``SHARED`` shared items."""
    shared = {unit: said for unit, said in votes.items() if len(said) > 1}
    items = len({item for item, *_ in shared})
    if items < SHARED:
        return Agreement(items, None, None, None, None)
    same = total = 0
    for said in shared.values():
        pairs = list(combinations(said.values(), 2))
        same, total = same + sum(a == b for a, b in pairs), total + len(pairs)
    alpha, low, high = _alpha_with_interval(shared, level, seed)
    return Agreement(items, same / total, alpha, low, high, _kappas(shared, level))


def _alpha_with_interval(
    shared: Mapping[Unit, Mapping[str, Any]], level: Level, seed: int
) -> tuple[float | None, float | None, float | None]:
    """Alpha, and the 2.5 and 97.5 % points of alphas over items drawn again, each with all its units.

    None if all said the same, when alpha is not defined.
    """
    values = sorted({answer for said in shared.values() for answer in said.values()})
    if len(values) < 2:
        return None, None, None
    # Only where it is needed: most pages show no agreement.
    from krippendorff import alpha

    counts = np.array([[list(said.values()).count(value) for value in values] for said in shared.values()])
    estimate = float(alpha(value_counts=counts, value_domain=values, level_of_measurement=level))
    # Items of the same coincidences are drawn as one kind: it makes no difference, and is a thousand times faster.
    kinds, times = np.unique(_coincidences(shared, counts), axis=0, return_counts=True)
    random, drawn = np.random.default_rng(seed), []
    # Fifty tables at once: so much that the loop costs nothing, so little that memory does not matter.
    for _ in range(BOOTSTRAPS // 50):
        again = random.multinomial(times.sum(), times / times.sum(), size=50)
        drawn.append(alphas((again @ kinds).reshape(50, len(values), len(values)), level))
    # A drawing in which all say the same has no alpha; it says nothing of the interval either.
    low, high = np.nanpercentile(np.concatenate(drawn), [2.5, 97.5])
    return estimate, float(low), float(high)


def _coincidences(shared: Mapping[Unit, Mapping[str, Any]], counts: Table) -> Table:
    """For each item, how often each two answers met in a unit of it: (items, values x values)."""
    met = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(counts.shape[1])
    # As in the paper: a unit that m people judged counts m times, however many pairs they make.
    met /= counts.sum(axis=1)[:, None, None] - 1
    _, item_of = np.unique([item for item, *_ in shared], return_inverse=True)
    summed = np.zeros((item_of.max() + 1, counts.shape[1] ** 2))
    np.add.at(summed, item_of, met.reshape(len(counts), -1))
    # Sums of thirds in another order differ in the last digit, and would be kinds of their own.
    return summed.round(9)


def alphas(coincidences: Table, level: Level) -> Table:
    """Krippendorff's alpha of each of several matrices of coincidences, (tables, values, values); NaN where undefined.

    As in section C of the paper; a test compares it with the library that gives the figure itself.
    """
    values = coincidences.sum(axis=2)
    if level == "nominal":
        distance = np.broadcast_to(1 - np.eye(values.shape[1]), coincidences.shape)
    else:
        # The ordinal metric: how many of all marks lie between two, each end counted half.
        up_to = values.cumsum(axis=1) - values / 2
        distance = (up_to[:, :, None] - up_to[:, None, :]) ** 2
    by_chance = values[:, :, None] * values[:, None, :] - values[:, :, None] * np.eye(values.shape[1])
    expected = (by_chance * distance).sum(axis=(1, 2)) / (values.sum(axis=1) - 1)
    observed = (coincidences * distance).sum(axis=(1, 2))
    defined = expected > 0
    return np.where(defined, 1 - observed / np.where(defined, expected, 1), np.nan)


def _kappas(shared: Mapping[Unit, Mapping[str, Any]], level: Level) -> dict[str, float]:
    from sklearn.metrics import cohen_kappa_score  # Half a second: not for every page.

    names = sorted({name for said in shared.values() for name in said})
    kappas: dict[str, float] = {}
    for one, other in combinations(names, 2):
        both = [(said[one], said[other]) for said in shared.values() if one in said and other in said]
        if len(both) >= SHARED and len({verdict for pair in both for verdict in pair}) > 1:
            # Quadratic: one mark apart is hardly a disagreement, and it is what papers on ratings report.
            weights = "quadratic" if level == "ordinal" else None
            scale = _scale(both) if level == "ordinal" else None
            kappa = cohen_kappa_score(*zip(*both, strict=True), labels=scale, weights=weights)
            kappas[f"{one} / {other}"] = float(kappa)
    return kappas


def _scale(both: Sequence[tuple[int, int]]) -> list[int]:
    """All marks from the lowest to the highest that was given: the weights are those of their distances."""
    marks = [mark for pair in both for mark in pair]
    return list(range(min(marks), max(marks) + 1))


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
    good: Share
    """Of answers called good or bad, the good ones."""
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
    # By the place on the screen: what is measured is the person's habit and not the answers.
    left = sum("ab"[vote.order[0]] == vote.verdict for vote in sided)
    unlike = [(vote, both) for vote in sided if len(set(both := lengths[vote.item_id])) > 1]
    longer = sum("ab"[both.index(max(both))] == vote.verdict for vote, both in unlike)
    called = [vote.value["rating"] for vote in first if vote.verdict == "rated" and vote.value["scale"] == 2]
    judged = [vote.seconds for vote in first if vote.verdict != "skip"]
    by_id = {vote.id: vote for vote in votes}
    repeats = [vote for vote in votes if vote.repeats_id in by_id and vote.verdict != "skip"]
    again = [(vote, by_id[vote.repeats_id]) for vote in repeats if vote.repeats_id is not None]
    return Habits(
        votes=len(first),
        counts=dict(Counter(vote.verdict for vote in first)),
        left_wins=share(left, len(sided)),
        longer_wins=share(longer, len(unlike)),
        good=share(called.count(2), len(called)),
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
