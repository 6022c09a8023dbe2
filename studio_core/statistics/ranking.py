"""Ratings of three or more models from votes on pairs of their answers.

The model of Bradley and Terry (1952): the chance that i is preferred to j is 1 / (1 + exp(b_j - b_i)).
It is fitted with a ridge prior, without which a model that won every time
would have no finite rating; ties count as half a win for each. Intervals are a bootstrap over prompts, since
votes on one prompt are not independent, but never narrower than the curvature of the fit allows: a
bootstrap of five wins in five games would claim to be certain. There is no online Elo: it depends on the
order of votes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SCALE = 400 / math.log(10)
"""Points for one unit of strength: 400 points are odds of ten to one, as in chess."""
# Only the differences mean something; a thousand is what readers of ratings know.
CENTRE = 1000.0
# Weak: after ten games it moves a rating by little, and with five
# wins of five it keeps it finite. A judgement.
RIDGE = 0.5
"""Weight of the prior: half the squared strengths times this is added to the loss."""
# The 2.5 % point rests on a dozen of them: more are steadier and slower. A judgement.
BOOTSTRAPS = 500
# Newton's method on a convex loss needs five to ten; the rest is for data where one model lost everything.
_STEPS = 50


@dataclass(frozen=True)
class Game:
    """One vote on the answers of two models to one prompt."""

    prompt: str
    one: str
    other: str
    score: float
    """1 if the first was preferred, 0 if the other was, 0.5 for a tie."""


@dataclass(frozen=True)
class Rating:
    model: str
    rating: float
    low: float
    high: float
    games: int
    rank: int
    """1 plus the number of models whose interval lies wholly above this one's."""


def ratings(games: Sequence[Game], *, seed: int = 0) -> list[Rating]:
    """All models that played, the strongest first."""
    models = sorted({name for game in games for name in (game.one, game.other)})
    if len(models) < 2:
        return []
    place = {name: index for index, name in enumerate(models)}
    pairs = np.array([[place[game.one], place[game.other]] for game in games])
    scores = np.array([game.score for game in games])
    # Games with the same outcome between the same two are one row of many: the fit is as quick for all of them.
    cells, cell_of = np.unique(np.column_stack([pairs, scores]), axis=0, return_inverse=True)
    pairs_of, scores_of = cells[:, :2].astype(int), cells[:, 2]
    fitted, errors = strengths(pairs_of, scores_of, np.bincount(cell_of).astype(float), len(models))
    lows, highs = _bootstrap(games, cell_of, pairs_of, scores_of, len(models), seed)
    # 1.96 standard errors to either side hold 95 % of a normal distribution.
    lows, highs = np.minimum(lows, fitted - 1.96 * errors), np.maximum(highs, fitted + 1.96 * errors)
    played = np.bincount(pairs.ravel(), minlength=len(models))
    points, low, high = (CENTRE + SCALE * values for values in (fitted, lows, highs))
    found = [
        Rating(
            model=name,
            rating=float(points[i]),
            low=float(low[i]),
            high=float(high[i]),
            games=int(played[i]),
            rank=1 + int(sum(low[j] > high[i] for j in range(len(models)))),
        )
        for name, i in place.items()
    ]
    return sorted(found, key=lambda rating: -rating.rating)


def strengths(
    pairs: NDArray[np.int_], scores: NDArray[np.float64], weights: NDArray[np.float64], models: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Strength of each model by Newton's method, their mean being 0, and its standard error.

    ``pairs``: (games, 2), places of the two models; ``weights``: (games,), how often each game counts.
    """
    beta = np.zeros(models)
    one, other = pairs[:, 0], pairs[:, 1]
    for _ in range(_STEPS):
        expected = 1.0 / (1.0 + np.exp(beta[other] - beta[one]))
        surprise = weights * (scores - expected)
        gradient = np.bincount(one, surprise, models) - np.bincount(other, surprise, models) - RIDGE * beta
        curvature = weights * expected * (1.0 - expected)
        hessian = RIDGE * np.eye(models)
        np.add.at(hessian, (one, one), curvature)
        np.add.at(hessian, (other, other), curvature)
        np.add.at(hessian, (one, other), -curvature)
        np.add.at(hessian, (other, one), -curvature)
        step = np.linalg.solve(hessian, gradient)
        beta = beta + step
        # A billionth of a unit is far below a point of the scale.
        if np.abs(step).max() < 1e-9:
            break
    # Only differences are known: the errors are those of strengths whose mean is held at 0.
    centred = np.eye(models) - 1.0 / models
    covariance = centred @ np.linalg.inv(hessian) @ centred
    return beta - beta.mean(), np.sqrt(np.diag(covariance))


def _bootstrap(
    games: Sequence[Game],
    cell_of: NDArray[np.int_],
    pairs: NDArray[np.int_],
    scores: NDArray[np.float64],
    models: int,
    seed: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """2.5 and 97.5 % points of the strengths over prompts drawn again; ``cell_of``: (games,), the row of each."""
    prompts = {name: index for index, name in enumerate(dict.fromkeys(game.prompt for game in games))}
    of_game = np.array([prompts[game.prompt] for game in games])
    random = np.random.default_rng(seed)
    drawn = []
    for _ in range(BOOTSTRAPS):
        # Prompts are drawn, with all the votes on them.
        times = np.bincount(random.integers(0, len(prompts), len(prompts)), minlength=len(prompts))
        weights = np.bincount(cell_of, times[of_game], len(scores)).astype(float)
        drawn.append(strengths(pairs, scores, weights, models)[0])
    low, high = np.percentile(np.array(drawn), [2.5, 97.5], axis=0)
    return low, high
