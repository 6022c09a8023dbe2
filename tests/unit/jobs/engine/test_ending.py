from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.engine.ending import Ending, last_word, of_exit, of_loss
from studio_core.base.states import Cause, State
from studio_core.runs.run_folder import EventWriter

SUCCEEDED = {"type": "result", "state": "succeeded"}
STOPPED = {"type": "result", "state": "stopped"}
NO_MEMORY = {"type": "error", "cause": "out_of_memory_gpu", "message": "2 GiB"}


def record(code: int | None = 0, signal: str | None = None, **given: Any) -> dict[str, Any]:
    return {"returncode": code, "signal": signal, "stop": None, "forced": False, "oom_kills": 0, **given}


KILLED = {"code": -9, "signal": "SIGKILL"}
CASES = [
    ("train", record(), SUCCEEDED, State.SUCCEEDED, None),
    ("train", record(), STOPPED, State.SUCCEEDED, Cause.STOPPED),
    ("train", record(stop="save"), STOPPED, State.SUCCEEDED, Cause.STOPPED),
    ("train", record(stop="save"), SUCCEEDED, State.SUCCEEDED, None),
    ("train", record(-11, "SIGSEGV"), SUCCEEDED, State.SUCCEEDED, None),
    ("train", record(**KILLED, stop="cancel"), SUCCEEDED, State.SUCCEEDED, None),
    ("train", record(**KILLED, stop="cancel"), None, State.CANCELLED, Cause.CANCELLED),
    ("train", record(1, stop="cancel"), NO_MEMORY, State.CANCELLED, Cause.CANCELLED),
    ("train", record(None, stop="cancel"), None, State.CANCELLED, Cause.CANCELLED),
    ("train", record(**KILLED, stop="save", forced=True), None, State.CANCELLED, Cause.CANCELLED),
    ("train", record(-15, "SIGTERM", stop="save"), None, State.CANCELLED, Cause.CANCELLED),
    ("train", record(1), NO_MEMORY, State.FAILED, Cause.OUT_OF_MEMORY_GPU),
    ("train", record(1), {"type": "error", "cause": "new", "message": "?"}, State.FAILED, Cause.ERROR),
    ("train", record(1, stop="save"), NO_MEMORY, State.FAILED, Cause.OUT_OF_MEMORY_GPU),
    ("train", record(**KILLED), None, State.FAILED, Cause.KILLED),
    ("train", record(**KILLED, oom_kills=1), None, State.FAILED, Cause.OUT_OF_MEMORY_HOST),
    ("train", record(-11, "SIGSEGV", oom_kills=1), None, State.FAILED, Cause.KILLED),
    ("train", record(0), None, State.FAILED, Cause.ERROR),
    ("train", record(3), None, State.FAILED, Cause.ERROR),
    ("serve", record(0), None, State.SUCCEEDED, Cause.IDLE),
    ("serve", record(0, stop="save"), None, State.SUCCEEDED, Cause.STOPPED),
    ("serve", record(-15, "SIGTERM", stop="save"), None, State.SUCCEEDED, Cause.STOPPED),
    ("serve", record(2), None, State.FAILED, Cause.ERROR),
]


@pytest.mark.parametrize(("kind", "exit_record", "word", "state", "cause"), CASES)
def test_every_way_to_end(kind: str, exit_record: Any, word: Any, state: State, cause: Cause | None) -> None:
    end = of_exit(exit_record, word, "the last line", service=kind == "serve")
    assert (end.state, end.cause) == (state, cause)


def test_details_say_what_only_this_run_knows() -> None:
    assert of_exit(record(3), None, "no such file").detail == "exit code 3: no such file"
    assert of_exit(record(1), NO_MEMORY, "").detail == "2 GiB"
    assert of_exit(record(**KILLED), None, "").detail == "SIGKILL"


def test_without_an_exit_record() -> None:
    assert of_loss(None, rebooted=False) == Ending(State.INTERRUPTED, Cause.SUPERVISOR_LOST)
    assert of_loss(NO_MEMORY, rebooted=True) == Ending(State.INTERRUPTED, Cause.HOST_REBOOTED)
    assert of_loss(SUCCEEDED, rebooted=True) == Ending(State.SUCCEEDED)
    assert of_loss(STOPPED, rebooted=False) == Ending(State.SUCCEEDED, Cause.STOPPED)


def test_the_last_word_is_found_at_the_end(tmp_path: Path) -> None:
    assert last_word(tmp_path) is None
    events = EventWriter(tmp_path)
    events.write("notice", level="info", key="x", values={"note": '"result"'})
    assert last_word(tmp_path) is None
    events.write("error", cause="error", message="first")
    for step in range(20_000):
        events.write("metrics", step=step, values={"loss": 1.0})
    assert last_word(tmp_path) is None  # An error is the last word only near the end.
    events.write("result", state="succeeded", model="model")
    events.write("phase", phase="done")
    events.close()
    with open(tmp_path / "events.jsonl", "ab") as file:
        file.write(b'{"type": "result", "torn')
    word = last_word(tmp_path)
    assert word is not None and word["model"] == "model"
