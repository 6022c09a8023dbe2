"""A training that ends before its last step, with TRL's trainers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.training.callback import ReporterCallback
from studio_core.base.errors import BadInput
from studio_core.runs import run_folder
from studio_core.runs.spec import ResolvedModel
from studio_core.suites import OF_TRAININGS, Verdict
from tests.integration.in_this_process import stop_at
from tests.integration.miniature import events
from tests.integration.test_training_methods import model, result, trained, weights

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.
__all__ = ["model"]


TURNS = {3: 0.9, 6: 0.5, 9: 0.7, 12: 0.6}
"""Held-out losses by step: the best is that of step 6, and with a patience of 2 it is over at step 12 of 20."""
GIVEN: dict[str, Any] = {"epochs": 4, "save_steps": 3, "eval_share": 0.2, "early_stopping_patience": 2}


@pytest.fixture(autouse=True)
def turned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A miniature's own held-out loss never turns."""
    log = ReporterCallback.on_log

    def on_log(self: Any, args: Any, state: Any, control: Any, logs: dict[str, Any], **given: Any) -> None:
        other = {"eval_loss": TURNS[state.global_step]} if "eval_loss" in logs else {}
        log(self, args, state, control, {**logs, **other}, **given)

    monkeypatch.setattr(ReporterCallback, "on_log", on_log)


@pytest.mark.parametrize("tuning", ["full", "lora"])
@pytest.mark.parametrize("method", ["sft", "dpo", "reward"])
def test_a_run_that_gets_worse_ends_early_with_its_best_model(
    tmp_path: Path, model: ResolvedModel, method: str, tuning: str
) -> None:
    prompts = () if method == "reward" else ("say a",)
    run_dir = trained(tmp_path / "run", model, method, tuning=tuning, prompts=prompts, **GIVEN)
    assert [point.step for point in run_folder.checkpoints(run_dir)] == [6, 9, 12]
    told = {event["key"]: event["values"] for event in events(run_dir, "notice")}
    expected = {"best": 6, "loss": 0.5, "step": 12, "total": 20, "looks": 2}
    assert told["methods.notice.stopped_early"] == expected
    assert (result(run_dir)["state"], result(run_dir)["step"]) == ("succeeded", 12)
    if method == "reward" and tuning == "lora":
        return  # The result is merged.
    saved, best = weights(run_dir / "model"), weights(run_dir / "checkpoints" / "checkpoint-6")
    assert all(torch.equal(saved[name], best[name]) for name in saved.keys() & best.keys())
    assert len(saved.keys() & best.keys()) >= len(saved) - 1  # A tied output is stored once.


@pytest.mark.parametrize("at", [7, 8])
def test_a_resumed_run_decides_as_the_unbroken_one(
    tmp_path: Path, model: ResolvedModel, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped between two looks, and where one is due: a step later than the wish is heard."""
    whole = trained(tmp_path / "whole", model, **GIVEN)
    with monkeypatch.context() as patch:
        stop_at(at, patch)
        stopped = trained(tmp_path / "stopped", model, **GIVEN)
    assert result(stopped)["step"] == at + 1
    point = stopped / "checkpoints" / f"checkpoint-{at + 1}"
    resumed = trained(tmp_path / "resumed", model, resume_from=point, **GIVEN)
    assert result(resumed)["step"] == 12
    one, other = weights(whole / "model"), weights(resumed / "model")
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_early_stopping_without_held_out_rows_is_refused(tmp_path: Path, model: ResolvedModel) -> None:
    with pytest.raises(BadInput, match="but no records are held out"):
        trained(tmp_path / "run", model, early_stopping_patience=1, eval_share=0)


def test_a_run_ends_early_by_a_suite_whose_questions_it_answers(
    tmp_path: Path, model: ResolvedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A miniature cannot say who it is; here it is right whenever it says anything."""
    monkeypatch.setitem(
        OF_TRAININGS,
        "identity",
        replace(OF_TRAININGS["identity"], score=lambda item, said: Verdict(float(bool(said)))),
    )
    given = {**GIVEN, "eval_share": 0.0, "early_stopping_on": "identity"}
    run_dir = trained(tmp_path / "run", model, prompts=(), **given)
    shares = [
        event["values"]["suite/identity"]
        for event in events(run_dir, "metrics")
        if "suite/identity" in event["values"]
    ]
    assert len(shares) >= 3 and all(0 <= share <= 1 for share in shares)
    [told] = [event for event in events(run_dir, "notice") if event["key"].endswith("_by_suite")]
    assert told["values"]["percent"] == 100 * max(shares)
    saved, best = (
        weights(run_dir / "model"),
        weights(run_dir / "checkpoints" / f"checkpoint-{told['values']['best']}"),
    )
    assert all(torch.equal(saved[name], best[name]) for name in saved.keys() & best.keys())
