from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from studio_core.base import atomic
from studio_core.runs import run_folder
from studio_core.runs.run_folder import EventWriter


def checkpoint(run_dir: Path, step: int) -> Path:
    folder = run_dir / "checkpoints" / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"w" * (2 << 20))
    (folder / "trainer_state.json").write_text("{}")
    return folder


def test_a_document_is_whole_and_its_owners_only(tmp_path: Path) -> None:
    path = tmp_path / "exit.json"
    atomic.write_json(path, {"a": "ü"})
    assert atomic.read_json(path) == {"a": "ü"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(TypeError):
        atomic.write_json(path, {"a": object()})
    assert atomic.read_json(path) == {"a": "ü"}
    assert atomic.read_json(tmp_path / "none.json") is None


def test_events_are_numbered_on_after_a_restart(tmp_path: Path) -> None:
    first = EventWriter(tmp_path)
    first.write("phase", phase="loading")
    first.close()
    second = EventWriter(tmp_path)
    second.write("phase", phase="training")
    second.close()
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_bytes().splitlines()]
    assert [(event["seq"], event["phase"]) for event in events] == [(1, "loading"), (2, "training")]


def test_a_checkpoint_is_complete_only_with_its_manifest(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, 10)
    assert not run_folder.checkpoints(tmp_path)[0].complete
    total = run_folder.write_manifest(folder, 10)
    [found] = run_folder.checkpoints(tmp_path)
    assert (found.complete, found.step, found.bytes) == (True, 10, total)
    assert total == (2 << 20) + 2


@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        (lambda folder: os.truncate(folder / "model.safetensors", 100), "cut off"),
        (lambda folder: (folder / "trainer_state.json").unlink(), "missing"),
        (lambda folder: (folder / "trainer_state.json").write_text("[]"), "has changed"),
        (lambda folder: (folder / "manifest.json").unlink(), "not finished"),
        (lambda folder: os.truncate(folder / "manifest.json", 20), "cannot be read"),
        (lambda folder: (folder / "manifest.json").write_text("[1]"), "cannot be read"),
    ],
)
def test_11_a_harmed_checkpoint_is_passed_over_with_the_reason(tmp_path: Path, harm, problem: str) -> None:  # type: ignore[no-untyped-def]
    for step in (10, 20):
        run_folder.write_manifest(checkpoint(tmp_path, step), step)
    harm(tmp_path / "checkpoints" / "checkpoint-20")
    newest = run_folder.newest_complete(tmp_path)
    assert newest is not None and newest.step == 10
    assert problem in run_folder.checkpoints(tmp_path)[-1].problem


def test_checkpoints_are_in_the_order_of_their_steps(tmp_path: Path) -> None:
    for step in (100, 9, 20):
        checkpoint(tmp_path, step)
    (tmp_path / "checkpoints" / "checkpoint-new").mkdir()
    assert [found.step for found in run_folder.checkpoints(tmp_path)] == [9, 20, 100]


def test_lines_are_read_as_they_grow(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"one\ntwo\nthr")
    found = list(run_folder.new_lines(path, 0))
    assert found == [(4, b"one"), (8, b"two")]
    assert list(run_folder.new_lines(path, 8)) == []
    path.write_bytes(b"one\ntwo\nthree\n")
    assert list(run_folder.new_lines(path, 8)) == [(14, b"three")]


def test_23_a_line_beyond_all_measure_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"x" * 50 + b"\nnext\n")
    assert list(run_folder.new_lines(path, 0, limit=16)) == [(51, b"")]
    assert list(run_folder.new_lines(path, 51, limit=16)) == [(56, b"next")]
    path.write_bytes(b"x" * 50)
    assert list(run_folder.new_lines(path, 0, limit=16)) == []


def test_the_tail_of_a_log_begins_with_a_line(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    assert run_folder.log_tail(tmp_path) == ""
    log.write_bytes(b"first line\nsecond \xff line\n")
    assert run_folder.log_tail(tmp_path, 20) == "second � line\n"
    assert run_folder.log_tail(tmp_path).startswith("first")


def test_a_log_that_grew_too_large_keeps_its_end(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    with open(log, "ab", buffering=0) as writer:
        writer.write(b"".join(b"line %d\n" % n for n in range(1000)))
        run_folder.trim_log(log, limit=1 << 20)
        assert log.read_bytes().startswith(b"line 0\n")
        run_folder.trim_log(log, limit=1000, kept=100)
        writer.write(b"after\n")
    text = log.read_text()
    assert text.startswith("[tunesmith] This log passed") and text.endswith("line 999\nafter\n")
    assert len(text) < 300
    run_folder.trim_log(tmp_path / "none.log")


def test_a_lock_is_held_until_its_process_is_dead(tmp_path: Path) -> None:
    path = tmp_path / "alive.lock"
    assert not run_folder.is_held(path)
    code = "import sys; from pathlib import Path; from studio_core.runs import run_folder; "
    code += "run_folder.hold(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(run_folder.__file__).parents[1])},
    )
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    assert run_folder.is_held(path)
    assert run_folder.hold(path, patience=0.0) is None
    holder.kill()
    holder.communicate()
    assert not run_folder.is_held(path)
    lock = run_folder.hold(path, patience=0.0)
    assert lock is not None and run_folder.is_held(path)
    os.close(lock)
