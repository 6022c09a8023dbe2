"""The rate of a comparison at equal length, or at equal style: what is left once both sides are alike in it.

A logistic regression, ``logit(preference) = model + weights . covariates``: where all covariates are 0 the two answers
are alike in them, and the rate is that of ``model`` alone.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np

from studio_core.statistics.winrate import LEVEL
from studio_core.suites.judged.protocol import Figure

# Half the squared weights times these are added to the loss. That of the model is as weak as that of the ratings
# (`studio_core.statistics.ranking`) and keeps a model that always wins finite. Those of the covariates keep a judge
# finite that looks at them alone; if they were stronger, what they hold back would go to the model: of a rate of
# 0.75 by length alone 0.62 were left with 0.5, and 0.53 with this.
_OF_MODEL, _OF_COVARIATE = 0.5, 0.01

Array = np.ndarray[Any, Any]


def rate_at_zero(
    covariates: Array, preferences: Array, weights: Array | None = None, level: float = LEVEL
) -> Figure:
    """The rate where all covariates are 0, with the interval of its standard error.

    ``covariates``: (items, any number); ``preferences``: (items,), from 0 to 1; ``weights``: (items,), how much each
    counts, of which the mean does not matter: an item is one observation, however many votes it has.
    """
    terms = np.column_stack([np.ones(len(preferences)), covariates])
    counts = np.ones(len(preferences)) if weights is None else weights / weights.mean()
    model, error = _fitted(terms, preferences, counts)
    half = NormalDist().inv_cdf((1 + level) / 2) * error
    return Figure(_logistic(model), _logistic(model - half), _logistic(model + half), level=level)


def _fitted(terms: Array, preferences: Array, counts: Array) -> tuple[float, float]:
    """The first weight, and its standard error. ``terms``: (items, 1 + covariates)."""
    from scipy.optimize import minimize  # Only where it is needed.
    from scipy.special import expit

    ridge = np.full(terms.shape[1], _OF_COVARIATE)
    ridge[0] = _OF_MODEL

    def loss(weights: Array) -> tuple[float, Array]:
        logits = terms @ weights
        value = counts @ (np.logaddexp(0, logits) - preferences * logits) + ridge @ weights**2 / 2
        return float(value), terms.T @ (counts * (expit(logits) - preferences)) + ridge * weights

    weights = minimize(loss, np.zeros(terms.shape[1]), jac=True, method="BFGS").x
    expected = expit(terms @ weights)
    curvature = terms.T @ (terms * (counts * expected * (1 - expected))[:, None]) + np.diag(ridge)
    return float(weights[0]), math.sqrt(float(np.linalg.inv(curvature)[0, 0]))


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))
