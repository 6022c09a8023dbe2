"""Figures with what is known of their uncertainty."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

Numbers = npt.NDArray[Any]

# The ends show what is odd: where a length limit cuts is between 95 and 100 %.
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
# As many bars as can be told apart in a column of the page.
BINS = 40
# 97.5 % point of the normal distribution, as scipy gives it; scipy itself takes half a second to import.
Z95 = 1.959963984540054


class Share(BaseModel):
    """A part of something, with the 95% interval for where the true share lies if this is a sample."""

    rows: int
    of: int
    share: float
    low: float
    high: float


class Distribution(BaseModel):
    """How numbers are spread: bars of equal width, the last one with all that is longer."""

    count: int
    mean: float
    quantiles: dict[str, float]
    """``{"0.5": median, ...}`` for ``QUANTILES``."""
    start: float
    width: float
    bars: list[int]
    beyond: int
    """Of ``count``, how many are to the right of the last bar."""


def share(rows: int, of: int) -> Share:
    """With Wilson's interval, which holds for few rows and for shares near 0 and 1 too."""
    if not of:
        return Share(rows=0, of=0, share=0.0, low=0.0, high=1.0)
    p, z2 = rows / of, Z95 * Z95
    middle = (p + z2 / (2 * of)) / (1 + z2 / of)
    half = Z95 / (1 + z2 / of) * math.sqrt(p * (1 - p) / of + z2 / (4 * of * of))
    # Rounding would leave 1e-17, which reads as "not quite none".
    low = 0.0 if rows == 0 else max(0.0, middle - half)
    return Share(rows=rows, of=of, share=p, low=low, high=1.0 if rows == of else min(1.0, middle + half))


def distribution(values: Numbers) -> Distribution:
    """Of at least one whole number; bars are a round number wide and the longest 0.5% lie beyond them."""
    start = int(values.min())
    # The longest half per cent would stretch the axis until all others stand in one bar.
    width = _even((float(np.quantile(values, 0.995)) - start + 1) / BINS)
    return _spread(values, start // width * width, width, BINS)


def marks(values: Numbers) -> Distribution:
    """Of at least one number from 0 to 1."""
    return _spread(values, 0.0, 1 / 20, 20)


def _spread(values: Numbers, start: float, width: float, bars: int) -> Distribution:
    counts = np.histogram(values, bins=start + width * np.arange(bars + 1))[0]
    return Distribution(
        count=len(values),
        mean=round(float(values.mean()), 4),
        quantiles={str(q): round(float(np.quantile(values, q)), 4) for q in QUANTILES},
        start=start,
        width=width,
        bars=[int(count) for count in counts],
        beyond=len(values) - int(counts.sum()),
    )


def _even(width: float) -> float:
    """The next of 1, 2, 5, 10, 20 and so on, for bars that begin at round numbers."""
    # At least 1, since whole numbers have no bars narrower than that.
    scale = 10 ** math.floor(math.log10(max(width, 1)))
    return float(next(step * scale for step in (1, 2, 5, 10) if step * scale >= width))
