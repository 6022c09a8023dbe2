"""What a process used, what its CPU gains from, and that a training gives way."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from jobs import machine
from jobs.training.loading import Machine, machine_for, needs_checkpointing
from studio_core.methods import memory
from studio_core.methods.dpo import DPO, DPOOptions
from studio_core.methods.sft import SFTOptions
from studio_core.models.inspect import inspect
from studio_core.models.size import ModelSize
from studio_core.runs.spec import RunSpec
from tests.integration.miniature import make_run, miniature_model, pairs


def test_the_peak_is_in_bytes_on_every_system_and_of_the_gpu_where_one_was_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resource, "getrusage", lambda who: SimpleNamespace(ru_maxrss=3000))
    assert machine.peak_memory() == 3000 * 1024
    monkeypatch.setattr(sys, "platform", "darwin")  # It counts in bytes, not in blocks of 1,024.
    assert machine.peak_memory() == 3000
    gpu = SimpleNamespace(is_available=lambda: True, max_memory_reserved=lambda: 7 << 30)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=gpu))
    assert machine.peak_memory() == 7 << 30


@pytest.mark.parametrize("gains", [True, False])
def test_bf16_is_measured_once_and_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gains: bool
) -> None:
    monkeypatch.setenv("TUNESMITH_STUDIO", str(tmp_path))
    measured = []

    def seconds(dtype: torch.dtype) -> float:
        measured.append(dtype)
        return 1.0 if (dtype is torch.bfloat16) is gains else 2.0

    monkeypatch.setattr(machine, "_seconds", seconds)
    assert [machine.cpu_gains_from_bf16() for _ in range(3)] == [gains] * 3
    assert len(measured) == 2
    [known] = json.loads((tmp_path / "machine.json").read_text())["bf16"].values()
    assert known is gains
    monkeypatch.setenv("TUNESMITH_DEVICE", "cpu")
    chosen = machine_for(RunSpec.model_construct(), SFTOptions())
    assert chosen.precision == ("bf16" if gains else "fp32")


def test_the_product_is_timed() -> None:
    assert machine._seconds(torch.float32) > 0


def test_passes_outside_the_trainer_run_in_the_precision_of_those_inside() -> None:
    left = torch.ones(4, 4)
    for precision, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        with Machine("cpu", precision, "CPU").autocast():  # type: ignore[arg-type]
            assert (left @ left).dtype is dtype


def test_plan_and_worker_choose_gradient_checkpointing_by_one_formula(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datasets import Dataset

    model = miniature_model(tmp_path / "miniature")
    folder = make_run(tmp_path / "run", model, pairs(4), method="dpo", batch_size=4)
    run = RunSpec.model_validate_json((folder / "spec.json").read_text())
    options = DPOOptions.model_validate(run.options)
    rows = Dataset.from_dict(
        {"prompt_ids": [[1] * 10, [1] * 3], "chosen_ids": [[2], [2] * 9], "rejected_ids": [[3] * 30, [3]]}
    )
    size = ModelSize.of(model.parameters, inspect(Path(model.path)).details())
    planned = memory.of_run(
        memory.sizes_by_role(DPO, size, {}), options, tuning="full", batch_size=4, longest=40, device="cpu", available=0
    )  # fmt: skip
    for room, wanted in ((1.2, False), (1.0, True)):
        monkeypatch.setattr(Machine, "memory", lambda self, room=room: round(room * planned.computed))
        assert needs_checkpointing(run, options, rows, Machine("cpu", "fp32", "CPU")) is wanted


def test_a_training_on_the_cpu_gives_way() -> None:
    ask = "import os; from jobs.worker import give_way; give_way(); give_way(); print(os.nice(0))"
    said = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert int(said.stdout) == max(10, os.nice(0))
