"""Several tests at once: of twenty that test nothing, one is below 0.05.

As statsmodels computes them (``multipletests``), whose import takes a second that a page has not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values: among those below 0.05 there is any false alarm in at most 5 % of reports (Holm 1979)."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    # The smallest is one of all, the next one of all but that; none may end up before a smaller one.
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return _in_place(np.minimum(1.0, raised), order)


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values: of those below 0.05 at most one in twenty is a false alarm (Benjamini and Hochberg 1995)."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    raised = p[order] * len(p) / np.arange(1, len(p) + 1)
    lowest_above = np.minimum.accumulate(raised[::-1])[::-1]
    return _in_place(np.minimum(1.0, lowest_above), order)


def _in_place(ordered: NDArray[np.float64], order: NDArray[np.int_]) -> list[float]:
    values = np.empty(len(ordered))
    values[order] = ordered
    return [float(value) for value in values]
