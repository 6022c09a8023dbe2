"""Several reward models read together: the mean of their scores, and how far they disagree.

Trained from the same data with other seeds they agree where the data told them what is good, and differ where they
guess. A high mean with a high disagreement is what a model optimised against one of them would find (Coste et al. 2023,
arXiv:2310.02743): the penalty takes it away again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """What reward models say of one answer."""

    value: float
    """Higher is better: the mean over the models, less the penalty."""
    disagreement: float
    """The standard deviation over the models; 0 of one alone."""


def standardised(scores: Numbers) -> Numbers:
    """Each model's scores, (models, answers), with mean 0 and standard deviation 1 over these answers.

    Of most reward models only differences mean something, and how large they are hangs on how long and how fast it
    learnt. As they are, the one with the widest spread would decide alone, and all disagreement would be about zero
    points. A model that gives all answers one score says nothing of them: its row is 0.
    """
    spread = scores.std(axis=1, keepdims=True)
    # What rounding leaves of equal numbers is no spread.
    flat = spread <= 1e-9 * np.maximum(1.0, np.abs(scores).max(axis=1, keepdims=True))
    return np.where(flat, 0.0, (scores - scores.mean(axis=1, keepdims=True)) / np.where(flat, 1.0, spread))


def together(scores: Numbers, penalty: float = 0.0) -> list[Score]:
    """The score of each answer by all models, (models, answers): mean - penalty * standard deviation.

    Of one model alone they stay on its own scale; of several they are in standard deviations over these answers.
    """
    if len(scores) == 1:
        return [Score(float(value), 0.0) for value in scores[0]]
    alike = standardised(scores)
    means, spreads = alike.mean(axis=0), alike.std(axis=0)
    return [Score(float(m - penalty * s), float(s)) for m, s in zip(means, spreads, strict=True)]


def correlation(scores: Numbers) -> float:
    """The mean correlation between two of the models over these answers, (models, answers), of at least two models."""
    alike = standardised(scores)
    pairs = np.triu_indices(len(alike), 1)
    return float((alike @ alike.T / alike.shape[1])[pairs].mean())
