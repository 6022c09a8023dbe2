from __future__ import annotations

import json

from app.parts.live_chart import LIMIT, payload, series
from studio_core.methods import METHODS
from studio_core.runs.outline import Lines


def test_each_line_holds_what_was_reported() -> None:
    lines: Lines = {"loss": [(1, 2.0), (2, None), (3, 1.0)], "other": [(1, 1.0)], "grad_norm": [(2, 3.0)]}
    expected = {"loss": [[1, 2, 3], [2.0, None, 1.0]], "grad_norm": [[2], [3.0]]}
    assert series(METHODS["sft"].charts, lines) == expected


def test_no_line_is_longer_than_can_be_drawn() -> None:
    [[steps, values]] = series(
        METHODS["sft"].charts, {"loss": [(step, 1.0) for step in range(9000)]}
    ).values()
    assert len(steps) == len(values) <= LIMIT


def test_charts_come_once_and_then_only_points() -> None:
    first = json.loads(payload(METHODS["dpo"].charts, {"loss": [(1, 2.0)]}, "zh-CN", reset=True))
    assert [chart["name"] for chart in first["charts"]] == [chart.name for chart in METHODS["dpo"].charts]
    assert first["charts"][0]["title"] == "Loss"
    assert first["reset"] and first["empty"]
    later = json.loads(payload(METHODS["dpo"].charts, {"loss": [(2, 1.0)]}, "en"))
    assert later == {"reset": False, "anew": False, "points": {"loss": [[2], [1.0]]}}


def test_charts_of_rewards_stand_below_three_questions() -> None:
    first = json.loads(payload(METHODS["grpo"].charts, {}, "en", reset=True))
    named = [(chart["heading"], chart["name"]) for chart in first["charts"]]
    assert [chart for chart in named if chart[0]] == [
        ("Does it improve?", "reward"),
        ("Are the answers usable?", "groups"),
        ("Why does it behave this way?", "drift"),
    ]
    assert {name for _, name in named} == {chart.name for chart in METHODS["grpo"].charts}
    other = json.loads(payload(METHODS["dpo"].charts, {}, "en", reset=True))
    assert not any(chart["heading"] for chart in other["charts"])
