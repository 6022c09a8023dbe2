"""Which answers of records are scored, and from which score on they are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jobs.curation.score import item_of
from jobs.curation.thresholds import least_kept


def turn(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}


ASKED, ANSWER = turn("user", "q"), turn("assistant", "a")


@pytest.mark.parametrize(
    ("record", "item"),
    [
        ({"prompt": [ASKED], "completion": [ANSWER]}, ([ASKED], "a")),
        ({"prompt": [ASKED], "chosen": [ANSWER], "rejected": [turn("assistant", "b")]}, ([ASKED], "a")),
        ({"messages": [ASKED, turn("assistant", "b"), ASKED, ANSWER]}, ([ASKED, turn("assistant", "b"), ASKED], "a")),
        ({"messages": [ASKED]}, None),
        ({"messages": [ASKED, turn("assistant", " \n")]}, None),
        # The answer in the prompt is part of what is asked.
        ({"prompt": [ASKED, ANSWER, ASKED], "completion": []}, None),
    ],
)  # fmt: skip
def test_the_last_answer_is_scored(record: dict[str, Any], item: Any) -> None:
    assert item_of(record) == item


def test_the_stricter_bound_counts_and_equals_stay_together() -> None:
    known = np.array([0.1, 0.5, 0.5, 0.9], np.float32)
    assert least_kept(known, None, 1.0) is None
    assert least_kept(known, -1.0, 1.0) == -1.0
    assert least_kept(known, None, 0.5) == 0.5
    assert least_kept(known, 0.7, 0.5) == np.float32(0.7)
    assert least_kept(known[:0], None, 0.5) is None
