"""When a run ends early, which checkpoint is kept for it, and how it goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.training import checkpoints
from jobs.training.early_stopping import EarlyStopping
from jobs.training.loop import Loop, Values
from jobs.training.reporting import Reporter, StopRequest
from jobs.training.team import Team
from studio_core.base.errors import BadInput
from studio_core.methods.common import TrainingOptions
from studio_core.runs import run_folder
from studio_core.runs.run_folder import EventWriter

OPTIONS = TrainingOptions(save_steps=2, early_stopping_patience=2)
STEPS = 12
TURNS = [0.9, 0.5, 0.4, 0.6, 0.5, 0.7]
"""Held-out losses at steps 2, 4, 6 ...: the best is that of step 6, and it is over at step 10."""


def trained(folder: Path, losses: Sequence[float], resume: Path | None = None, stop_at: int = 0) -> Loop:
    """A run whose one weight counts its steps, measured every other step."""
    folder.mkdir()
    checkpoints.begin(folder, str(resume) if resume else None)
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(model.weight)
    team = Team(folder)
    stop = StopRequest(team)
    early = EarlyStopping.of(OPTIONS, True, str(resume) if resume else None)
    reporter = Reporter(team, EventWriter(folder), stop, list, [], early)
    loop = Loop(reporter, model, {}, OPTIONS, STEPS, str(resume) if resume else None)

    def step(number: int) -> Values:
        model.weight.data += 1
        if number == stop_at:
            stop._heard.set()
        return {"loss": 1.0}

    loop.run(step, lambda: {"eval_loss": losses[loop.step // 2 - 1]})
    if best := reporter.best(loop.step):
        loop.take(best)
    assert model.weight.item() == (early.step if early else loop.step)
    return loop


def notices(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / run_folder.EVENTS).read_text(encoding="utf-8").splitlines()
    return [event for event in map(json.loads, lines) if event["type"] == "notice"]


def steps(folder: Path) -> list[int]:
    return [point.step for point in run_folder.checkpoints(folder) if point.complete]


def test_it_ends_where_the_loss_has_stopped_falling_and_keeps_the_best(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert trained(folder, TURNS).step == 10
    assert steps(folder) == [6, 8, 10]
    [told] = notices(folder)
    assert told["key"] == "methods.notice.stopped_early"
    assert told["values"] == {"best": 6, "loss": 0.4, "step": 10, "total": 12, "looks": 2}


def test_a_run_that_gets_better_to_its_end_is_as_any_other(tmp_path: Path) -> None:
    assert trained(tmp_path / "run", [6, 5, 4, 3, 2, 1]).step == STEPS
    assert notices(tmp_path / "run") == [] and steps(tmp_path / "run") == [10, 12]


def test_the_best_of_a_run_that_reached_its_end_is_said(tmp_path: Path) -> None:
    assert trained(tmp_path / "run", [6, 5, 4, 3, 2, 9]).step == STEPS
    assert [event["key"] for event in notices(tmp_path / "run")] == ["methods.notice.best_saved"]


@pytest.mark.parametrize("stop_at", [7, 8, 9])
def test_a_resumed_run_ends_where_the_unbroken_one_does(tmp_path: Path, stop_at: int) -> None:
    first = trained(tmp_path / "first", TURNS, stop_at=stop_at)
    assert first.step == stop_at
    kept = run_folder.newest_complete(tmp_path / "first")
    assert kept is not None
    assert trained(tmp_path / "second", TURNS, kept.path).step == 10
    assert notices(tmp_path / "second") != [] and 6 in steps(tmp_path / "second")
    # From the checkpoint before, too: what was best at that time is still there.
    older = run_folder.checkpoints(tmp_path / "first")[-2]
    assert trained(tmp_path / "third", TURNS, older.path).step == 10


def test_without_the_best_checkpoint_there_is_no_going_on(tmp_path: Path) -> None:
    trained(tmp_path / "first", TURNS, stop_at=9)
    kept = run_folder.newest_complete(tmp_path / "first")
    assert kept is not None
    (tmp_path / "first/checkpoints/checkpoint-6/manifest.json").unlink()
    with pytest.raises(BadInput, match="The best checkpoint so far \\(step 6\\) is not in"):
        trained(tmp_path / "second", TURNS, kept.path)


def test_a_loss_that_is_no_number_is_no_better(tmp_path: Path) -> None:
    early = EarlyStopping(patience=2, threshold=0.1)
    for step, loss in enumerate([None, 1.0, 0.95, 0.89], start=1):
        early.look(step, loss)
        assert not early.over
    assert (early.step, early.waited) == (4, 0)
    for step in (5, 6):
        early.look(step, None)
    assert early.over and early.step == 4


def test_a_run_that_measures_nothing_is_refused() -> None:
    with pytest.raises(BadInput, match="no records are held out"):
        EarlyStopping.of(OPTIONS, False, None)
    assert EarlyStopping.of(TrainingOptions(), False, None) is None
