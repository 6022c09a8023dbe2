from __future__ import annotations

import json
import math

from app.parts.live_chart import LIMIT, payload, series, thinned
from studio_core import clock
from studio_core.methods import METHODS
from studio_core.tables import Metric


def report(step: int, **values: float | None) -> Metric:
    return Metric(job_id=1, seq=step, step=step, at=clock.now(), values=values)


def test_a_short_line_stays_as_it_is() -> None:
    line = [(float(step), float(step)) for step in range(10)]
    assert thinned(line, 10) == line


def test_a_long_line_keeps_its_spikes_and_its_ends() -> None:
    line = [(float(step), math.sin(step / 500)) for step in range(50_000)]
    line[31_234] = (31_234.0, 99.0)
    line[7] = (7.0, -99.0)
    kept = thinned(line, LIMIT)
    assert len(kept) <= LIMIT
    assert {line[31_234], line[7], line[-1]} <= set(kept)
    assert kept == sorted(kept)


def test_each_line_holds_what_was_reported() -> None:
    points = [report(1, loss=2.0, other=1.0), report(2, loss=None, grad_norm=3.0), report(3, loss=1.0)]
    assert series(METHODS["sft"], points) == {"loss": [[1, 3], [2.0, 1.0]], "grad_norm": [[2], [3.0]]}


def test_charts_come_once_and_then_only_points() -> None:
    first = json.loads(payload(METHODS["dpo"], [report(1, loss=2.0)], "zh-CN", reset=True, ended=False))
    assert [chart["name"] for chart in first["charts"]] == [chart.name for chart in METHODS["dpo"].charts]
    assert first["charts"][0]["title"] == "损失"
    assert first["reset"] and first["empty"]
    later = json.loads(payload(METHODS["dpo"], [report(2, loss=1.0)], "en", reset=False, ended=False))
    assert later == {"reset": False, "points": {"loss": [[2], [1.0]]}}
