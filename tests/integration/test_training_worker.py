"""The worker as the engine starts it: a process of its own, signals, warm start, errors."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from jobs.training import sft
from studio_core.methods import METHODS
from studio_core.runs import run_folder
from studio_core.runs.spec import ResolvedModel
from tests.conftest import PATIENCE, wait_until
from tests.integration.miniature import chats, events, losses, make_run, miniature_model

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.

ENVIRONMENT = {**os.environ, "TUNESMITH_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
WORKER = [sys.executable, "-m", "jobs.worker"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ResolvedModel:
    return miniature_model(tmp_path_factory.mktemp("models") / "miniature")


def test_stop_saves_what_there_is_and_resume_goes_on_to_the_bit(tmp_path: Path, model: ResolvedModel) -> None:
    torch.set_num_threads(1)
    given = {"max_steps": 200, "save_steps": 1000, "gradient_accumulation": 2, "lora_dropout": 0.1}
    stopped = make_run(tmp_path / "stopped", model, chats(24), tuning="lora", **given)
    with open(stopped / run_folder.LOG, "wb") as log:
        worker = subprocess.Popen([*WORKER, str(stopped)], env=ENVIRONMENT, stdout=log, stderr=log)
    wait_until(lambda: len(losses(stopped)) >= 3 or worker.poll() is not None, what="three steps")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(PATIENCE) == 0, run_folder.log_tail(stopped)

    [result] = events(stopped, "result")
    assert result["state"] == "stopped" and 3 <= result["step"] < 200
    checkpoint = run_folder.newest_complete(stopped)
    assert checkpoint is not None and checkpoint.step == result["step"]
    assert events(stopped, "checkpoint")[-1]["path"] == f"checkpoints/checkpoint-{result['step']}"
    assert (stopped / "model" / "adapter_model.safetensors").is_file()
    assert [event["seq"] for event in events(stopped)] == list(range(1, len(events(stopped)) + 1))

    resumed = make_run(
        tmp_path / "resumed", model, chats(24), tuning="lora", resume_from=checkpoint.path, **given
    )
    sft.main(resumed)
    whole = make_run(tmp_path / "whole", model, chats(24), tuning="lora", **given)
    sft.main(whole)
    assert losses(stopped) | losses(resumed) == losses(whole)
    assert not losses(stopped).keys() & losses(resumed).keys()
    one, other = (load_file(run / "model" / "adapter_model.safetensors") for run in (resumed, whole))
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_a_warm_worker_takes_a_run_and_tells_its_error(tmp_path: Path) -> None:
    gone = ResolvedModel(name="gone", path=str(tmp_path / "nowhere"))
    run_dir = make_run(tmp_path / "run", gone, chats(4))
    warm = tmp_path / "warm"
    warm.mkdir()
    worker = subprocess.Popen(
        [*WORKER, "--warm", str(warm)],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: (warm / "ready").exists() or worker.poll() is not None, what="ready")
    assert not (run_dir / run_folder.EVENTS).exists()
    worker.communicate(json.dumps({"run_dir": str(run_dir), "env": {}}).encode() + b"\n", timeout=PATIENCE)

    assert worker.returncode == 1
    [error] = events(run_dir, "error")
    assert error["cause"] == "error" and error["seq"] == len(events(run_dir))
    assert "Traceback" in run_folder.log_tail(run_dir)


def test_a_method_that_does_not_exist_is_one_sentence(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    (run_dir / run_folder.SPEC).write_text('{"spec": {"kind": "train", "method": "os"}}')
    done = subprocess.run([*WORKER, str(run_dir)], env=ENVIRONMENT, check=False, capture_output=True)
    assert done.returncode == 1
    [error] = events(run_dir, "error")
    assert error["message"] == f"There is no training method os. Choose one of: {', '.join(METHODS)}."
