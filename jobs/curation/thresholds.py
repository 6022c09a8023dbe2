"""From which score on records are kept."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def least_kept(known: npt.NDArray[np.float32], min_score: float | None, keep_top: float) -> np.float32 | None:
    """The lowest score that is kept: none below ``min_score``, and of all the best share ``keep_top``.

    None if all are kept. Equals are kept or left out together.
    """
    bounds = [] if min_score is None else [np.float32(min_score)]
    if keep_top < 1 and len(known):
        wanted = max(1, round(len(known) * keep_top))
        bounds.append(np.sort(known)[-wanted])
    return max(bounds, default=None)
