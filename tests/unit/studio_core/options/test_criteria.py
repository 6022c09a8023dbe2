"""How criteria of a judge are written."""

from __future__ import annotations

import pytest

from studio_core.base.errors import BadInput
from studio_core.options.criteria import Criterion, criteria_of
from studio_core.rewards import choices


@pytest.mark.parametrize(
    ("text", "criteria"),
    [
        ("", [Criterion("", 1.0, "")]),
        ("Is it polite?", [Criterion("", 1.0, "Is it polite?")]),
        ("Is it right: yes or no\nand polite", [Criterion("", 1.0, "Is it right: yes or no\nand polite")]),
        ("right: Is it?\n\nclear 0.5: Is it clear,\nand short?",
         [Criterion("right", 1.0, "Is it?"), Criterion("clear", 0.5, "Is it clear,\nand short?")]),
        ("正确 2：对不对\n清楚：好不好懂", [Criterion("正确", 2.0, "对不对"), Criterion("清楚", 1.0, "好不好懂")]),
    ],
)  # fmt: skip
def test_a_criterion_is_a_line_that_begins_with_a_name(text: str, criteria: list[Criterion]) -> None:
    assert criteria_of(text) == criteria


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("right: a\nright: b", "called right"),
        ("right 0: a", "weight 0"),
        ("\n".join(f"c{n}: a" for n in range(9)), "9 criteria"),
    ],
)
def test_criteria_that_do_not_do_are_refused(text: str, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        criteria_of(text)
    with pytest.raises(BadInput, match=reason):
        choices.checked(choices.RewardChoice(name="judge", options={"criteria": text}))
