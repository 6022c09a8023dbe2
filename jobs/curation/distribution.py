"""How values are spread, in the form in which it is kept and drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

# Each is some pixels wide in a card; more would be noise at a few hundred values.
BINS = 40


def distribution(
    values: dict[str, npt.NDArray[np.float32]],
    threshold: float | None,
    low: float | None = None,
    high: float | None = None,
) -> dict[str, Any]:
    """``{"edges": [...], "counts": {name: [...]}, "threshold": ...}``; far outliers fall into the last bin."""
    known = {name: value[np.isfinite(value)] for name, value in values.items()}
    together = np.concatenate([*known.values(), np.zeros(0, np.float32)])
    if not len(together):
        return {}
    if low is None:
        low = float(together.min())
    if high is None:
        # One odd value must not squeeze all others into a single bin.
        high = float(min(together.max(), 4 * np.quantile(together, 0.95) + 1e-6))
        high = max(high, threshold * 1.1 if threshold is not None else high, low + 1e-6)
    edges = np.linspace(low, high, BINS + 1)
    counts = {
        name: np.histogram(np.clip(value, low, high), edges)[0].tolist() for name, value in known.items()
    }
    return {
        "edges": [round(float(edge), 6) for edge in edges],
        "counts": counts,
        "threshold": None if threshold is None else round(float(threshold), 6),
        "mean": {name: round(float(value.mean()), 6) for name, value in known.items() if len(value)},
        "n": {name: len(value) for name, value in known.items()},
    }
