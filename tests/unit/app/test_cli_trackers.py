"""``trackers`` and ``jobs track`` of the command line."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from app.cli import run
from jobs.tracking import child
from studio_core.base.studio import Studio
from studio_core.runs import queue, run_folder
from studio_core.runs.run_folder import EventWriter
from studio_core.trackers import switches

KEY = "0123456789abcdef" * 2
SINK = Path(__file__).parents[2] / "faults" / "toy_sink.py"


@pytest.fixture
def home(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(switches, "is_installed", lambda *_: True)
    return ["--home", str(studio.settings.home)]


def test_a_tracker_from_on_to_off(
    home: list[str], studio: Studio, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{KEY}\n"))
    assert run(["trackers", "on", "wandb", "--set", "project=mine", "--key-stdin", *home]) == 0
    assert (
        "W&B is on. Runs that start from now on are logged to https://api.wandb.ai" in capsys.readouterr().out
    )
    assert run(["trackers", "on", "wandb", "--set", "entity=us", *home]) == 0
    kept = switches.switches(studio.settings.home / switches.FILE)["wandb"]
    assert kept.options == {"project": "mine", "address": "", "entity": "us"}
    assert kept.key.get_secret_value() == KEY
    capsys.readouterr()
    assert run(["trackers", "list", "--json", *home]) == 0
    rows = {row["tracker"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["wandb"]["on"] and rows["wandb"]["key"] and not rows["mlflow"]["on"]
    assert rows["tensorboard"]["logs_to"].endswith("trackers/tensorboard")
    assert run(["trackers", "off", "wandb", *home]) == 0
    assert run(["trackers", "list", *home]) == 0
    assert run(["trackers", "on", "wandb", "--set", "nothing=1", *home]) == 2
    said = capsys.readouterr()
    assert KEY not in said.out + said.err and "no option nothing" in said.err


def test_a_run_is_logged_afterwards(
    home: list[str],
    studio: Studio,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = tmp_path / "kept.jsonl"
    monkeypatch.setenv(child.COMMAND, json.dumps([sys.executable, str(SINK), str(kept), "none"]))
    job = queue.submit(studio, kind="train", name="lesson", spec={"kind": "train", "run": {}})
    track = ["jobs", "track", str(job.id), "--to", "tensorboard", *home]
    assert run(track) == 2
    assert f"Job {job.id} has logged nothing yet" in capsys.readouterr().err
    folder = Path(queue.get(studio, job.id).run_dir or "")
    folder.mkdir(parents=True)
    events = EventWriter(folder)
    for step in range(1, 4):
        events.write("metrics", step=step, values={"loss": 1.0})
    events.close()
    (folder / run_folder.EXIT).write_text('{"returncode": 1, "signal": null, "stop": null, "forced": false}')
    assert run(track) == 0
    assert "View: tensorboard --logdir" in capsys.readouterr().out
    assert json.loads(kept.read_text().splitlines()[-1])["end"] == "failed"
    assert run(track) == 2
    assert "Use --again" in capsys.readouterr().err
    assert run([*track, "--again", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["step"] == 3
    data = queue.submit(studio, kind="data", name="rows", spec={"kind": "data"})
    assert run(["jobs", "track", str(data.id), "--to", "tensorboard", *home]) == 2
    assert "is not a training" in capsys.readouterr().err


def test_what_fails_says_how_to_go_on(
    home: list[str],
    studio: Studio,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = [sys.executable, str(SINK), str(tmp_path / "kept.jsonl"), "refuse"]
    monkeypatch.setenv(child.COMMAND, json.dumps(command))
    job = queue.submit(studio, kind="train", name="lesson", spec={"kind": "train", "run": {}})
    folder = Path(queue.get(studio, job.id).run_dir or "")
    folder.mkdir(parents=True)
    events = EventWriter(folder)
    events.write("metrics", step=1, values={"loss": 1.0})
    events.close()
    assert run(["jobs", "track", str(job.id), "--to", "mlflow", *home]) == 1
    said = capsys.readouterr().out
    assert "CommError: no such project" in said and f"jobs track {job.id} --to mlflow" in said
