"""Runs sent to the real libraries, and read back by them. They are looked for in TUNESMITH_TRACKERS_PYTHON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jobs.tracking.following import Following
from studio_core.base import settings as settings_
from studio_core.base.atomic import write_json
from studio_core.base.settings import Settings
from studio_core.runs import run_folder
from studio_core.runs.run_folder import EventWriter
from studio_core.trackers import TRACKERS, sent, switches

PYTHON = os.environ.get("TUNESMITH_TRACKERS_PYTHON", "")
READER = Path(__file__).with_name("read_tracker.py")
ENDS = {
    "tensorboard": ("STATUS_SUCCESS", ""),
    "trackio": ("", ""),
    "mlflow": ("FINISHED", "KILLED"),
    "wandb": (0, 1),
}
"""The states of a run that succeeded and of one that was cancelled, as each of them says it."""


@pytest.fixture(params=TRACKERS)
def tracker(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if not switches.is_installed(TRACKERS[name], PYTHON):
        pytest.skip(f"{TRACKERS[name].install} into TUNESMITH_TRACKERS_PYTHON, or beside the studio")
    return name


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    return settings_.load(home=tmp_path / "home")


def make(home: Settings, number: int, steps: range, *, cancelled: bool = False, **spec: Any) -> Path:
    """A run that has ended: metrics, a measure every tenth step, answers before and after, one warning."""
    folder = home.runs / str(number)
    folder.mkdir()
    asked = {"name": "hello", "method": "sft", "model": "tiny-chat", "dataset": "greetings"}
    options = {"learning_rate": 1e-3, "packing": True, "targets": ["q", "v"]}
    write_json(folder / run_folder.SPEC, {"spec": asked, "options": options, **spec})
    events = EventWriter(folder)
    events.write("config", values={"device": "cpu", "warmup": {"steps": 10}})
    for step in steps:
        for index in range(2) if step == steps[0] else ():
            events.write(
                "sample", step=step, when="before", index=index, prompt="Q <b>", answer=f"first {index}"
            )
        values = {"loss": 4 / step, "eval_loss": 2 / step if step % 10 == 0 else None}
        events.write("metrics", step=step, epoch=step / 100, tokens=8 * step, values=values)
    events.write("notice", level="warning", key="methods.notice.loss_flat", values={})
    for index in range(2):
        events.write(
            "sample", step=steps[-1], when="after", index=index, prompt="Q <b>", answer=f"last {index}"
        )
    if not cancelled:
        events.write("result", state="succeeded", model="model")
    events.close()
    stop = "cancel" if cancelled else None
    write_json(folder / run_folder.EXIT, {"returncode": 0, "signal": None, "stop": stop, "forced": False})
    return folder


def follow(home: Settings, folder: Path, tracker: str) -> sent.Sent:
    Following(home, folder, tracker).follow()
    known = sent.read(folder, tracker)
    assert known is not None
    assert (known.state, known.trouble) == ("sent", ""), sent.log(folder, tracker).read_text()
    return known


def read(home: Settings, tracker: str, run: str) -> dict[str, Any]:
    """As ``read_tracker.py`` says."""
    place = str(home.home / "trackers" / tracker)
    command = [PYTHON or sys.executable, "-I" if PYTHON else "-P", str(READER), tracker, place, run]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def test_a_run_is_read_back_by_the_library(home: Settings, tracker: str) -> None:
    known = follow(home, make(home, 3, range(1, 41)), tracker)
    found = read(home, tracker, known.run)
    assert [step for step, _ in found["loss"]] == list(range(1, 41))
    assert found["loss"][-1][1] == pytest.approx(0.1) and [step for step, _ in found["held_out"]] == [
        10,
        20,
        30,
        40,
    ]
    config = {name: str(value) for name, value in found["config"].items()}
    asked = {"run": "3", "model": "tiny-chat", "device": "cpu", "learning_rate": "0.001"}
    assert asked.items() <= config.items() and "warmup.steps" in config
    assert sorted(found["answers"]) == ["first 0", "first 1", "last 0", "last 1"]
    assert found["notices"] == 1 and found["state"] == ENDS[tracker][0]


def test_a_run_that_was_cancelled_is_not_a_success_there(home: Settings, tracker: str) -> None:
    known = follow(home, make(home, 3, range(1, 5), cancelled=True), tracker)
    assert read(home, tracker, known.run)["state"] == ENDS[tracker][1]


def test_a_resumed_run_goes_on_in_the_same_run(home: Settings, tracker: str) -> None:
    first = make(home, 3, range(1, 31), cancelled=True)
    before = follow(home, first, tracker)
    checkpoint = first / run_folder.CHECKPOINTS / "checkpoint-20"
    known = follow(home, make(home, 4, range(21, 41), resume_from=str(checkpoint)), tracker)
    assert known.run == before.run
    found = read(home, tracker, known.run)
    steps = [step for step, _ in found["loss"]]
    if tracker == "tensorboard":
        assert steps == list(range(1, 41)), "what lay beyond the checkpoint is struck out"
    else:
        assert sorted({*steps}) == list(range(1, 41)) and len(steps) == 50
    assert found["state"] == ENDS[tracker][0]


def test_a_second_sending_says_nothing_twice(home: Settings, tracker: str) -> None:
    folder = make(home, 3, range(1, 11))
    known = follow(home, folder, tracker)
    follow(home, folder, tracker)
    assert [step for step, _ in read(home, tracker, known.run)["loss"]] == list(range(1, 11))


def test_a_package_that_is_missing_is_told(home: Settings, tmp_path: Path) -> None:
    """A Python without packages: what is not there is said at once, with the command, and is not tried again."""
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    given = settings_.load(home=home.home, trackers_python=str(bare / "bin" / "python"))
    folder = make(given, 3, range(1, 5))
    Following(given, folder, "wandb").follow()
    known = sent.read(folder, "wandb")
    assert known is not None and (known.state, known.trouble) == ("failed", "not_installed")
    assert "pip install wandb" in sent.sentence(3, folder, "wandb", known)
