"""A training that ends before its last step, with TRL's trainers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.training.callback import ReporterCallback
from studio_core.base.errors import BadInput
from studio_core.runs import run_folder
from studio_core.runs.spec import ResolvedModel
from tests.integration.miniature import events
from tests.integration.test_training_methods import model, result, trained, weights

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.
__all__ = ["model"]


@pytest.mark.parametrize("tuning", ["full", "lora"])
@pytest.mark.parametrize("method", ["sft", "dpo", "reward"])
def test_a_run_that_gets_worse_ends_early_with_its_best_model(
    tmp_path: Path, model: ResolvedModel, method: str, tuning: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With held-out losses that turn, since a miniature's own never do."""
    turns = iter([0.9, 0.5, 0.7, 0.6])
    log = ReporterCallback.on_log

    def turned(self: Any, args: Any, state: Any, control: Any, logs: dict[str, Any], **given: Any) -> None:
        other = {"eval_loss": next(turns)} if "eval_loss" in logs else {}
        log(self, args, state, control, {**logs, **other}, **given)

    monkeypatch.setattr(ReporterCallback, "on_log", turned)
    given = {"epochs": 4, "save_steps": 3, "eval_share": 0.2, "early_stopping_patience": 2}
    prompts = () if method == "reward" else ("say a",)
    run_dir = trained(tmp_path / "run", model, method, tuning=tuning, prompts=prompts, **given)
    assert [point.step for point in run_folder.checkpoints(run_dir)] == [6, 9, 12]
    told = {event["key"]: event["values"] for event in events(run_dir, "notice")}
    assert told["methods.notice.stopped_early"] == {
        "best": 6,
        "loss": 0.5,
        "step": 12,
        "total": 20,
        "looks": 2,
    }
    assert (result(run_dir)["state"], result(run_dir)["step"]) == ("succeeded", 12)
    saved, best = weights(run_dir / "model"), weights(run_dir / "checkpoints" / "checkpoint-6")
    if method == "reward" and tuning == "lora":
        return  # The result is merged.
    assert all(torch.equal(saved[name], best[name]) for name in saved.keys() & best.keys())
    assert len(saved.keys() & best.keys()) >= len(saved) - 1  # A tied output is stored once.


def test_early_stopping_without_held_out_rows_is_refused(tmp_path: Path, model: ResolvedModel) -> None:
    with pytest.raises(BadInput, match="but no records are held out"):
        trained(tmp_path / "run", model, early_stopping_patience=1, eval_share=0)
