"""Fault 11: the newest checkpoint is torn or spoilt."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from app.parts import run_view
from studio_core import training
from studio_core.base.errors import BadInput
from studio_core.base.states import Cause
from studio_core.runs import queue, run_folder
from tests.conftest import wait_until
from tests.faults.conftest import EngineProcess, folder

TRAINING = {"method": "sft", "tuning": "full", "model": "toy", "dataset": "toy@1"}


def flip(folder: Path) -> None:
    content = bytearray((folder / "weights").read_bytes())
    content[500] ^= 1
    (folder / "weights").write_bytes(content)


HARMS: dict[str, Callable[[Path], object]] = {
    "cut off": lambda folder: os.truncate(folder / "weights", 100),
    "missing": lambda folder: (folder / "weights").unlink(),
    "has changed": flip,
    "not finished": lambda folder: (folder / run_folder.MANIFEST).unlink(),
    "cannot be read": lambda folder: os.truncate(folder / run_folder.MANIFEST, 10),
}


def test_11_a_spoilt_newest_checkpoint_is_passed_over_and_said(engine: EngineProcess, tmp_path: Path) -> None:
    engine.start()
    run = {"steps": 20, "checkpoints": [2, 4, 6], "fault": "kill at 8", "pause": 0.01}
    run["model"] = {"name": "toy", "path": str(tmp_path)}
    for problem, harm in HARMS.items():
        job = engine.submit("train", **TRAINING, run=run)
        assert engine.wait_for(job, "failed").cause == Cause.KILLED
        harm(folder(job) / run_folder.CHECKPOINTS / "checkpoint-6")
        page = run_view.checkpoints(engine.job(job), "en")
        assert problem in page and page.count("data-step") == 2  # Two are offered, the third is explained.
        with pytest.raises(BadInput, match=problem):
            training.resume(engine.studio, job.id, step=6)
        again = training.resume(engine.studio, job.id)
        assert training.resumed_step(again) == 4
        assert "Skipped the checkpoint at step 6" in run_view.header(engine.studio, again, "en")
        assert engine.wait_for(again, "failed")
        read = json.loads((folder(again) / run_folder.SPEC).read_text())
        assert read["resume_from"] == str(folder(job) / run_folder.CHECKPOINTS / "checkpoint-4")


def test_11_a_save_that_was_cut_off_by_a_kill_is_no_checkpoint(engine: EngineProcess, tmp_path: Path) -> None:
    engine.start()
    run = {"steps": 20, "checkpoints": [2, 4], "pause": 0.01, "save_pause": 1.0}
    job = engine.submit("train", **TRAINING, run={**run, "model": {"name": "toy", "path": str(tmp_path)}})
    wait_until((folder(job) / run_folder.CHECKPOINTS / "checkpoint-4").exists)
    queue.request_stop(engine.studio, job.id, queue.Stop.CANCEL)
    engine.wait_for(job, "cancelled")
    listed = {checkpoint.step: checkpoint.complete for checkpoint in run_folder.checkpoints(folder(job))}
    assert listed == {2: True, 4: False}
    assert training.resumed_step(training.resume(engine.studio, job.id)) == 2
