"""A loop of our own: where it goes on, what it tells, and how it ends."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from jobs.training import results
from jobs.training.callback import ReporterCallback
from jobs.training.course import Course
from jobs.training.loop import Loop, Values, rows_of_step
from jobs.training.reporting import Reporter, StopRequest
from jobs.training.team import Team
from studio_core.methods.common import TrainingOptions
from studio_core.runs import run_folder
from studio_core.runs.run_folder import EventWriter

OPTIONS = TrainingOptions(save_steps=4, logging_steps=2)
STEPS = 10


class Asked(StopRequest):
    """As if SIGTERM came while step ``at`` was under way."""

    def __init__(self, team: Team, at: int | None = None) -> None:
        super().__init__(team)
        self.at, self.now = at, 0

    def agreed(self) -> bool:
        if self.at is not None and self.now >= self.at:
            self._heard.set()
        return bool(self)


def trained(
    folder: Path, *, stop_at: int | None = None, resume: str | None = None, long: bool = False
) -> Any:
    """A line that learns random targets; the loop and its weights after it ended."""
    folder.mkdir()
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    team = Team(folder)
    stop = Asked(team, stop_at)
    reporter = Reporter(team, EventWriter(folder), stop, lambda: ["an answer"], ["a prompt"])
    loop = Loop(reporter, model, {"optimizer": optimizer}, OPTIONS, STEPS, resume)

    def step(number: int) -> Values:
        stop.now = number
        given = torch.randn(4, 2)
        if long:
            loop.hear()
        loss = (model(given) - torch.randn(4, 1)).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return {"loss": loss.item(), "tokens": 8.0}

    loop.run(step, lambda: {"eval_loss": 1.0})
    return loop, model.weight.detach().clone()


def told(folder: Path, type: str) -> list[dict[str, Any]]:
    lines = (folder / run_folder.EVENTS).read_text(encoding="utf-8").splitlines()
    return [event for event in map(json.loads, lines) if event["type"] == type]


def test_it_reports_checks_and_answers_as_a_trainer_does(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    loop, _ = trained(folder)
    assert (loop.step, loop.total_steps) == (STEPS, STEPS)
    reports = told(folder, "metrics")
    assert [event["step"] for event in reports if "loss" in event["values"]] == [1, 2, 4, 6, 8, 10]
    assert [event["step"] for event in reports if "eval_loss" in event["values"]] == [4, 8, 10]
    assert all(event["values"]["tokens_per_second"] > 0 for event in reports if "loss" in event["values"])
    assert "tokens" not in reports[0]["values"]
    assert [event["step"] for event in told(folder, "sample")] == [2, 5, 7]
    assert [event["step"] for event in told(folder, "checkpoint")] == [4, 8, 10]
    assert [point.step for point in run_folder.checkpoints(folder) if point.complete] == [8, 10]


@pytest.mark.parametrize("long", [False, True])
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path, long: bool) -> None:
    _, whole = trained(tmp_path / "whole")
    loop, _ = trained(tmp_path / "stopped", stop_at=6, long=long)
    # A long step that hears the wish itself is given up, any other is carried to its end.
    assert loop.step == (5 if long else 6)
    kept = run_folder.newest_complete(tmp_path / "stopped")
    assert kept is not None and kept.step == loop.step
    resumed, weights = trained(tmp_path / "resumed", resume=str(kept.path))
    assert resumed.step == STEPS and torch.equal(weights, whole)
    first = told(tmp_path / "resumed", "metrics")[0]
    assert first["step"] == (6 if long else 8) and first["values"]["tokens_per_second"] is None


def test_a_wish_to_end_before_the_first_step_leaves_nothing_to_go_on_from(tmp_path: Path) -> None:
    loop, _ = trained(tmp_path / "run", stop_at=1, long=True)
    assert loop.step == 0 and run_folder.checkpoints(tmp_path / "run") == []


@pytest.mark.parametrize(
    "other", [torch.nn.Linear(2, 1, bias=False), torch.nn.Sequential(torch.nn.Linear(2, 1))]
)
def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path, other: torch.nn.Module) -> None:
    """One that lacks a weight of it, and one that learns what it has not."""
    trained(tmp_path / "run")
    kept = run_folder.newest_complete(tmp_path / "run")
    assert kept is not None
    team = Team(tmp_path / "run")
    reporter = Reporter(team, EventWriter(tmp_path / "run"), StopRequest(team), list, [])
    with pytest.raises(ValueError, match=r"checkpoint-10 is of another model: bias|weight"):
        Loop(reporter, other, {}, OPTIONS, STEPS, str(kept.path))


def test_each_epoch_has_every_row_once_in_an_order_of_its_own() -> None:
    epochs = [
        [row for step in range(1, 5) for row in rows_of_step(4 * n + step, 10, 3, seed=1)] for n in (0, 1)
    ]
    assert [Counter(epoch) for epoch in epochs] == [Counter(range(10))] * 2
    assert epochs[0] != epochs[1] and len(rows_of_step(4, 10, 3, seed=1)) == 1
    assert rows_of_step(2, 10, 3, seed=1) != rows_of_step(2, 10, 3, seed=2)


@pytest.mark.parametrize("step", [0, 1])
def test_a_run_that_learnt_nothing_has_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    saved: list[object] = []
    monkeypatch.setattr(results, "save", lambda *given: saved.append(given) or "full")
    team = Team(tmp_path)
    unused: Any = None
    course = Course(
        tmp_path, unused, OPTIONS, unused, team, StopRequest(team), EventWriter(tmp_path), unused, unused, unused, 0.0
    )  # fmt: skip
    course.finish(SimpleNamespace(num_parameters=lambda: 3), step, STEPS)
    assert len(saved) == len(told(tmp_path, "result")) == step


def test_answers_learnt_from_again_are_no_new_tokens(tmp_path: Path) -> None:
    """TRL's trainers count answers when they are written, and log nothing of them in further updates from them."""
    team = Team(tmp_path)
    callback = ReporterCallback(Reporter(team, EventWriter(tmp_path), StopRequest(team), list, []))
    state: Any = SimpleNamespace(global_step=0, epoch=0.0)
    for step, logs in enumerate([{"num_tokens": 90}, {}, {"num_tokens": 180}, {}], start=1):
        state.global_step = step
        callback.on_log(cast(Any, None), state, cast(Any, None), logs={"loss": 0.5, **logs})
    lines = (tmp_path / run_folder.EVENTS).read_text(encoding="utf-8").splitlines()
    values = [json.loads(line)["values"] for line in lines]
    assert ["tokens_per_second" in each for each in values] == [True, False, True, False]
    assert all(each["tokens_per_second"] > 0 for each in values if "tokens_per_second" in each)
    assert all("seconds_left" in each for each in values)
