"""The fold of the Train form: a sweep of what the form says, told before, and one for each wish."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from app.parts import train_sweep
from app.parts.train_sweep import TrainSweep
from studio_core.base.studio import Studio
from studio_core.runs.spec import TrainSpec
from studio_core.training import sweeps
from tests.unit.app.parts.by_name import ByName
from tests.unit.app.parts.test_sweep_page import request
from tests.unit.studio_core.training.runs import spec
from tests.unit.studio_core.training.test_sweeps import studio_with_sums

__all__ = ["studio_with_sums"]
VALUES = "learning_rate = 1e-4, 3e-4"


@pytest.fixture
def fold(studio_with_sums: Studio, monkeypatch: pytest.MonkeyPatch) -> TrainSweep:
    monkeypatch.setattr(train_sweep, "ensure_engine", lambda studio: None)

    def spec_of(given: Sequence[Any]) -> TrainSpec:
        return spec(options={"epochs": given[0]})

    return TrainSweep(studio_with_sums, ByName(), spec_of)


def test_it_is_told_before(fold: TrainSweep) -> None:
    told: Any = fold.planned(request(), VALUES, "grid", 20, 2, 1)
    assert 'data-ready="true"' in told["plan"] and told["start"]["interactive"]
    assert ">4<" in told["plan"]
    refused: Any = fold.planned(request("zh"), "no_such = 1", "grid", 20, 1, 1)
    assert "no_such" in refused["plan"] and not refused["start"]["interactive"]
    empty: Any = fold.planned(request(), " ", "grid", 20, 1, 1)
    assert empty["plan"] == "" and not empty["start"]["interactive"]


def test_the_same_wish_is_one_sweep_and_another_is_another(fold: TrainSweep) -> None:
    first = fold.started(request(), VALUES, "grid", 20, 1, 1, "key")
    assert fold.started(request(), VALUES, "grid", 20, 1, 1, "key") == first
    assert fold.started(request(), VALUES, "grid", 20, 2, 1, "key") != first
    jobs = sweeps.jobs(fold.studio, first.partition("=")[2])
    assert [job.spec["options"]["learning_rate"] for job in jobs] == [1e-4, 3e-4]
    assert all(job.spec["options"]["epochs"] == 1 for job in jobs)
