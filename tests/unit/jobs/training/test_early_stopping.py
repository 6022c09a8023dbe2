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
from studio_core.methods.base import validated
from studio_core.methods.common import TrainingOptions
from studio_core.methods.sft import SFT
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


SCORES = {2: 0.1, 4: 0.5, 6: 0.6, 8: 0.6, 10: 0.2}
"""Shares of a suite by step: the best is that of step 6, and it is over at step 10."""


def scored(folder: Path, resume: Path | None = None, stop_at: int = 0) -> tuple[Loop, list[int]]:
    """The same without held-out rows, and at which steps the suite was looked at."""
    folder.mkdir()
    checkpoints.begin(folder, str(resume) if resume else None)
    options = TrainingOptions(save_steps=2, early_stopping_patience=2, early_stopping_on="sums")
    team, model, looks = Team(folder), torch.nn.Linear(1, 1, bias=False), list[int]()
    stop = StopRequest(team)
    early = EarlyStopping.of(options, False, str(resume) if resume else None)

    def score() -> float:
        looks.append(loop.step)
        return SCORES[loop.step]

    reporter = Reporter(team, EventWriter(folder), stop, list, [], early, score=score, every=2)
    loop = Loop(reporter, model, {}, options, STEPS, str(resume) if resume else None)

    def step(number: int) -> Values:
        if number == stop_at:
            stop._heard.set()
        return {"loss": 1.0}

    loop.run(step)
    if best := reporter.best(loop.step):
        loop.take(best)
    return loop, looks


def test_it_ends_where_the_score_on_a_suite_has_stopped_rising(tmp_path: Path) -> None:
    loop, looks = scored(tmp_path / "run")
    assert (loop.step, looks) == (10, [2, 4, 6, 8, 10])
    [told] = notices(tmp_path / "run")
    assert told["key"] == "methods.notice.stopped_early_by_suite"
    expected = {"best": 6, "suite": "sums", "percent": 60.0, "step": 10, "total": 12, "looks": 2}
    assert told["values"] == expected
    lines = (tmp_path / "run" / run_folder.EVENTS).read_text(encoding="utf-8").splitlines()
    values = [event["values"] for event in map(json.loads, lines) if event["type"] == "metrics"]
    assert [each["suite/sums"] for each in values if "suite/sums" in each] == [*SCORES.values()]


@pytest.mark.parametrize(("at", "looked"), [(7, [2, 4, 6]), (8, [2, 4, 6, 8])])
def test_a_stop_between_two_looks_at_a_suite_is_none(tmp_path: Path, at: int, looked: list[int]) -> None:
    """The run that goes on from there decides as the unbroken one."""
    stopped, looks = scored(tmp_path / "first", stop_at=at)
    assert (stopped.step, looks) == (at, looked)
    kept = run_folder.newest_complete(tmp_path / "first")
    assert kept is not None
    resumed, looks = scored(tmp_path / "second", kept.path)
    assert resumed.step == 10 and looks == [step for step in SCORES if step > at]
    [told] = notices(tmp_path / "second")
    assert (told["values"]["best"], told["values"]["looks"]) == (6, 2)


def test_what_was_kept_before_there_were_suites_is_read(tmp_path: Path) -> None:
    (tmp_path / run_folder.BEST).write_text('{"step": 4, "loss": 0.5, "waited": 1}', encoding="utf-8")
    early = EarlyStopping.of(OPTIONS, True, str(tmp_path))
    assert early and (early.step, early.value, early.waited) == (4, 0.5, 1)


def test_an_unknown_suite_is_refused_by_its_name() -> None:
    with pytest.raises(BadInput, match="nonsense"):
        validated(SFT, "balanced", "full", 2_000_000, {"early_stopping_on": "nonsense"})


def test_a_run_that_measures_nothing_is_refused() -> None:
    with pytest.raises(BadInput, match="no records are held out"):
        EarlyStopping.of(OPTIONS, False, None)
    assert EarlyStopping.of(TrainingOptions(), False, None) is None
