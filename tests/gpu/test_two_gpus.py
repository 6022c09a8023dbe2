"""One run on two GPUs beside one on a single GPU with twice the batch: ``make test-gpu``."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from studio_core.runs import run_folder
from studio_core.runs.spec import ResolvedModel
from tests.integration.miniature import chats, losses, make_run, miniature_model

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        torch.cuda.device_count() < 2, reason="this machine has no two NVIDIA GPUs that torch can use"
    ),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ResolvedModel:
    return miniature_model(tmp_path_factory.mktemp("models") / "miniature")


def carried_out(run_dir: Path, mask: str) -> dict[int, float | None]:
    environment = {**os.environ, "TUNESMITH_DEVICE": "cuda", "CUDA_VISIBLE_DEVICES": mask}
    with open(run_dir / run_folder.LOG, "wb") as log:
        command = [sys.executable, "-m", "jobs.worker", str(run_dir)]
        code = subprocess.call(command, env=environment, stdout=log, stderr=log)
    assert code == 0, run_folder.log_tail(run_dir)
    return losses(run_dir)


@pytest.mark.parametrize("tuning", ["full", "lora"])
@pytest.mark.parametrize("parallel", ["ddp", "fsdp", "deepspeed"])
def test_two_gpus_learn_what_one_does_with_twice_the_batch(
    tmp_path: Path, model: ResolvedModel, parallel: str, tuning: str
) -> None:
    if parallel == "deepspeed" and importlib.util.find_spec("deepspeed") is None:
        pytest.skip("deepspeed is not installed")
    given = {"tuning": tuning, "precision": "bf16", "max_steps": 20}
    two = make_run(tmp_path / "two", model, chats(64), parallel=parallel, gpus=2, batch_size=4, **given)
    one = make_run(tmp_path / "one", model, chats(64), batch_size=8, **given)
    assert carried_out(two, "0,1") == pytest.approx(carried_out(one, "0"), rel=0.1)
    whole = {path.name: path.stat().st_size for path in (one / "model").glob("*.safetensors")}
    assert {path.name: path.stat().st_size for path in (two / "model").glob("*.safetensors")} == whole
