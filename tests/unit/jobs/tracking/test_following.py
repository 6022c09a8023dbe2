"""A run sent to a tracker by a stand-in for its library, which may hang, die or refuse."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from jobs.tracking import child, following
from jobs.tracking.following import Following
from studio_core.base import settings as settings_
from studio_core.base.atomic import write_json
from studio_core.base.settings import Settings
from studio_core.runs import run_folder
from studio_core.runs.run_folder import EventWriter
from studio_core.trackers import sent, switches

SINK = Path(__file__).parents[3] / "faults" / "toy_sink.py"
RESULT = {"state": "succeeded", "model": "model"}


class Bench:
    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings: Settings = settings_.load(home=tmp_path / "home")
        self.kept = tmp_path / "kept.jsonl"
        self._monkeypatch = monkeypatch
        self.use("none")
        monkeypatch.setattr(following, "PAUSES", (0.0, 0.0))

    def use(self, fault: str) -> None:
        command = [sys.executable, str(SINK), str(self.kept), fault]
        self._monkeypatch.setenv(child.COMMAND, json.dumps(command))

    def run(self, number: int, steps: range, **spec: Any) -> Path:
        """A run that has ended."""
        folder = self.settings.runs / str(number)
        folder.mkdir()
        write_json(
            folder / run_folder.SPEC, {"spec": {"name": "toy", "method": "sft"}, "options": {"a": 1}, **spec}
        )
        events = EventWriter(folder)
        for step in steps:
            events.write("metrics", step=step, values={"loss": 1 / step})
        events.write("result", **RESULT)
        events.close()
        record = {"returncode": 0, "signal": None, "stop": None, "forced": False, "oom_kills": 0}
        write_json(folder / run_folder.EXIT, record)
        return folder

    def follow(self, folder: Path, tracker: str = "tensorboard") -> sent.Sent:
        Following(self.settings, folder, tracker).follow()
        known = sent.read(folder, tracker)
        assert known is not None and not sent.is_sending(folder, tracker)
        return known

    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.kept.read_text().splitlines()]

    def steps(self) -> list[int]:
        return [event["step"] for message in self.messages() for event in message.get("write", ())]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_a_whole_run(bench: Bench) -> None:
    known = bench.follow(bench.run(7, range(1, 1201)))
    assert (known.state, known.step, known.run, known.trouble) == ("sent", 1200, "toy", "")
    assert known.opened_by.startswith("tensorboard --logdir ")
    begin, *written, end = bench.messages()
    assert begin["begin"]["name"] == "7 toy" and begin["begin"]["config"] == {
        "run": "7",
        "method": "sft",
        "a": 1,
    }
    assert len(written) == 3 and bench.steps() == list(range(1, 1201))
    assert end["end"] == "succeeded"


def test_it_goes_on_where_it_was_left(bench: Bench) -> None:
    folder = bench.run(7, range(1, 5))
    assert bench.follow(folder).state == "sent"
    events = EventWriter(folder)
    events.write("metrics", step=5, values={"loss": 0.1})
    events.close()
    known = bench.follow(folder)
    assert (known.state, known.step, bench.steps()) == ("sent", 5, [1, 2, 3, 4, 5])
    assert [message["begin"]["run"] for message in bench.messages() if "begin" in message] == ["", "toy"]


def test_a_torn_line_is_read_once_it_is_whole(bench: Bench) -> None:
    folder = bench.run(7, range(1, 3))
    path = folder / run_folder.EVENTS
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    assert bench.follow(folder).offset == whole.rindex(b"\n", 0, -1) + 1
    path.write_bytes(whole)
    assert bench.follow(folder).offset == len(whole)


def test_a_resumed_run_goes_on_in_the_run_before_it(bench: Bench) -> None:
    first = bench.run(7, range(1, 9))
    bench.follow(first)
    checkpoint = first / run_folder.CHECKPOINTS / "checkpoint-6"
    bench.follow(bench.run(8, range(7, 12), resume_from=str(checkpoint)))
    begins = [message["begin"] for message in bench.messages() if "begin" in message]
    assert [(begin["run"], begin["step"]) for begin in begins] == [("", 0), ("toy", 6)]


@pytest.mark.parametrize("fault", ["once die", "once refuse", "once hang"])
def test_what_fails_once_is_tried_again_and_loses_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    if fault == "once hang":
        monkeypatch.setattr(following, "WRITE_SECONDS", 1.0)
    bench.use(fault)
    known = bench.follow(bench.run(7, range(1, 5)))
    assert (known.state, known.trouble, bench.steps()) == ("sent", "", [1, 2, 3, 4])


@pytest.mark.parametrize(
    ("fault", "trouble", "sentence"),
    [
        ("die", "ended", "SIGKILL"),
        ("refuse", "error", "CommError: no such project"),
        ("hang", "hung", "did not respond within 1 s"),
    ],
)
def test_what_fails_always_is_told_with_what_to_do(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, fault: str, trouble: str, sentence: str
) -> None:
    if fault == "hang":
        monkeypatch.setattr(following, "WRITE_SECONDS", 1.0)
    bench.use(fault)
    folder = bench.run(7, range(1, 5))
    known = bench.follow(folder, "wandb")
    assert (known.state, known.trouble, known.offset) == ("failed", trouble, 0)
    told = sent.sentence(7, folder, "wandb", known, command_line=True)
    assert sentence in told and "jobs track 7 --to wandb" in told
    assert not sent.is_well(folder, "wandb", known)
    bench.use("none")
    assert bench.follow(folder, "wandb").state == "sent" and bench.steps() == [1, 2, 3, 4]


def test_a_server_that_is_not_there(bench: Bench) -> None:
    """W&B keeps the run here, for its own program to send; another tracker has it sent later."""
    options = {"project": "p", "address": "http://127.0.0.1:9"}
    document = {name: {"on": True, "options": options, "key": "k" * 40} for name in ("wandb", "mlflow")}
    write_json(bench.settings.home / switches.FILE, document)
    folder = bench.run(7, range(1, 5))
    kept = bench.follow(folder, "wandb")
    assert (kept.state, kept.trouble, bench.steps()) == ("sent", "kept", [1, 2, 3, 4])
    told = sent.sentence(7, folder, "wandb", kept)
    assert "http://127.0.0.1:9 was not reached" in told and "wandb sync " in told
    assert bench.messages()[0]["begin"]["address"] == ""
    failed = bench.follow(folder, "mlflow")
    assert (failed.state, failed.trouble, failed.offset) == ("failed", "not_reached", 0)


def test_a_program_that_cannot_be_started(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(child.COMMAND, json.dumps(["/no/such/python"]))
    folder = bench.run(7, range(1, 5))
    known = bench.follow(folder)
    assert (known.state, known.trouble) == ("failed", "not_started")
    assert "/no/such/python" in sent.sentence(7, folder, "tensorboard", known)


def test_only_one_follows(bench: Bench) -> None:
    folder = bench.run(7, range(1, 5))
    (folder / sent.FOLDER).mkdir()
    held = run_folder.hold(sent.lock(folder, "tensorboard"))
    assert held is not None
    Following(bench.settings, folder, "tensorboard").follow()
    assert sent.read(folder, "tensorboard") is None and not bench.kept.exists()
    os.close(held)


def test_a_deleted_run_gets_no_folder(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = bench.run(7, range(1, 5))
    whole = Following._send_some

    def deleted(self: Following, sink: child.Child) -> bool:
        if new := whole(self, sink):
            return new
        shutil.rmtree(folder)
        return True

    monkeypatch.setattr(Following, "_send_some", deleted)
    Following(bench.settings, folder, "tensorboard").follow()
    assert not folder.exists()


def test_a_spoilt_note_is_sent_from_the_beginning(bench: Bench) -> None:
    folder = bench.run(7, range(1, 5))
    bench.follow(folder)
    sent.file(folder, "tensorboard").write_text('{"offset": ')
    assert bench.follow(folder).state == "sent"
    assert bench.steps() == [1, 2, 3, 4] * 2
