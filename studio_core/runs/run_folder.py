"""A run's folder: the only thing that engine, supervisor, worker and pages share.

    spec.json         what to do (RunSpec or ServeSpec); written before the run starts
    launch.json       who may start it: {"claim", "seconds", "grace"}; a start with another claim ends without
                      doing anything; ``seconds``: its time limit, or null
    alive.lock        held (flock) by the supervisor for as long as the run lives
    supervisor.json   who it is: {"pid", "ticks", "boot_id", "tree", "claim"}
    control.json      what the user asked for: {"stop": "save" | "cancel", "grace": seconds}
    events.jsonl      what the worker reports, one JSON object a line, appended only
    worker.log        everything that the worker printed
    checkpoints/      checkpoint-N folders; one is complete when it holds manifest.json; best.json in it: which is
                      the best one so far, under early stopping: {"step", "loss", "waited"}
    model/            the result; appears by rename when it is whole
    export/           the files of an export, with their manifest.json; appears by rename when it is whole
    serve.json        of a chat worker: {"port", "token"}, readable by its owner only
    fetched.json      of a job that fetched rows from the Hub: {"file", "name", "origin"}
    pushed.json       of a job that uploaded files to the Hub: {"url", "commit"}
    exit.json         written last by the supervisor, when the whole process tree is dead:
                      {"returncode", "signal", "stop", "forced", "timed_out", "strays", "oom_kills", "at"}

Every line of ``events.jsonl`` has ``seq`` (1, 2, 3 ...), ``at`` (ISO time) and ``type``:

    phase       phase: loading | preparing | training | merging | saving | serving
    config      values: what was resolved (device, precision, batch, versions ...)
    metrics     step, total_steps, epoch, tokens (through the model since the beginning; null: not counted),
                peak_memory (bytes), values: {name: number or null}
    sample      step, when: before | during | after, index, prompt, answer
    checkpoint  step, path (below the run folder), bytes
    item        prompt, answers [{text, source, model}], row: answers to be judged; or dropped: why there are none
    verdict     item, verdict: a | b | tie, said: what the judge said in each order, row; or dropped: why there is none
    notice      level: info | warning, key (of the text catalogue), values
    error       cause (states.Cause), message; the traceback is in worker.log
    result      state: succeeded | stopped | elsewhere, model (folder), kind: adapter | full, step, total_steps,
                seconds, peak_memory (bytes), parameters; by: the trainer, if it was done elsewhere

Imports the standard library only: the supervisor reads this too.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from studio_core.base.atomic import read_json, write_json

SPEC = "spec.json"
LAUNCH = "launch.json"
LOCK = "alive.lock"
SUPERVISOR = "supervisor.json"
CONTROL = "control.json"
EVENTS = "events.jsonl"
LOG = "worker.log"
CHECKPOINTS = "checkpoints"
MANIFEST = "manifest.json"
BEST = "best.json"
MODEL = "model"
PARTIAL_MODEL = f".{MODEL}.partial"
"""The result while it is being written."""
EXPORT = "export"
SERVE = "serve.json"
EXIT = "exit.json"
FETCHED = "fetched.json"
PUSHED = "pushed.json"


def hold(path: Path, patience: float = 2.0) -> int | None:
    """Lock the file until this process ends; None if another one holds it for ``patience`` seconds.

    The patience is for those who only look (``is_held``): they hold it for an instant.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    # Two seconds, normally: far longer than a look takes, and short beside the start of a worker.
    deadline = time.monotonic() + patience
    while True:
        try:
            # flock and not lockf: it belongs to the open file, so that closing
            # another descriptor of it does not let go.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                return None
            time.sleep(0.02)


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock file. The kernel frees it however that process dies."""
    try:
        # Read-only and shared: two who look do not see each other, and nobody creates the file by looking.
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


class EventWriter:
    """Appends events; each line reaches the file whole, in one write."""

    def __init__(self, run_dir: Path) -> None:
        path = run_dir / EVENTS
        # A worker that takes up its old folder goes on counting, or its first
        # reports would pass for known ones.
        self._seq = path.read_bytes().count(b"\n") if path.exists() else 0
        # O_APPEND and one write for each line: several writers, such as a
        # rank and its launcher, never tear a line.
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, type: str, **fields: Any) -> None:
        self._seq += 1
        at = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        event = {"seq": self._seq, "at": at, "type": type, **fields}
        # A NaN is refused here, where the trace still shows who wrote it.
        line = json.dumps(event, ensure_ascii=False, default=str, allow_nan=False) + "\n"
        os.write(self._file, line.encode())

    def close(self) -> None:
        os.close(self._file)


@dataclass(frozen=True)
class Checkpoint:
    path: Path
    step: int
    bytes: int
    complete: bool
    problem: str = ""


def write_manifest(folder: Path, step: int) -> int:
    """Declare a checkpoint complete: names and sizes of all files, hashes of the small ones.

    Written last; a folder without it is not a checkpoint. Returns the bytes in all.
    """
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != MANIFEST:
            size = path.stat().st_size
            files[str(path.relative_to(folder))] = {
                "size": size,
                # Weights are gigabytes and are known by their size; what is below 1
                # MB (states, configurations) costs nothing to hash.
                "sha256": _hash(path) if size < 1 << 20 else None,
            }
            # On disk before the manifest, or after a power cut it would vouch for files that are empty.
            with open(path, "rb") as file:
                os.fsync(file.fileno())
    write_json(folder / MANIFEST, {"step": step, "files": files})
    return sum(entry["size"] for entry in files.values())  # type: ignore[misc]


def checkpoints(run_dir: Path) -> list[Checkpoint]:
    """All checkpoints of a run, oldest first; torn ones are listed as not complete, with the reason."""
    folders = (run_dir / CHECKPOINTS).glob("checkpoint-*")
    # Other folders may lie here, such as the temporary name of one being written.
    numbered = [(int(f.name.rpartition("-")[2]), f) for f in folders if f.name.rpartition("-")[2].isdigit()]
    return [_inspect(folder, step) for step, folder in sorted(numbered)]


def newest_complete(run_dir: Path) -> Checkpoint | None:
    return next((c for c in reversed(checkpoints(run_dir)) if c.complete), None)


def _inspect(folder: Path, step: int) -> Checkpoint:
    try:
        manifest = read_json(folder / MANIFEST)
        files = manifest["files"].items() if manifest else []
    except (ValueError, KeyError, TypeError, AttributeError):
        return Checkpoint(folder, step, 0, False, f"{MANIFEST} cannot be read")
    if manifest is None:
        return Checkpoint(folder, step, 0, False, "not finished")
    total = 0
    for name, entry in files:
        path = folder / name
        if not path.is_file() or path.stat().st_size != entry["size"]:
            return Checkpoint(folder, step, total, False, f"{name} is missing or cut off")
        if entry["sha256"] and _hash(path) != entry["sha256"]:
            return Checkpoint(folder, step, total, False, f"{name} has changed")
        total += entry["size"]
    return Checkpoint(folder, step, total, True)


def _hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def log_tail(run_dir: Path, limit: int = 64 * 1024) -> str:
    """The last ``limit`` bytes of the log, from the start of a line."""
    path = run_dir / LOG
    if not path.exists():
        return ""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        # From the end: a log may have grown to its 64 MB, and a page wants its last lines.
        file.seek(max(0, size - limit))
        tail = file.read(limit)
    if size > limit:
        tail = tail.partition(b"\n")[2] or tail
    return tail.decode("utf-8", errors="replace")


# 64 MB are more than any sound run prints, and a hundred such logs
# still fit on a disk; the last MB has the error.
def trim_log(path: Path, limit: int = 64 << 20, kept: int = 1 << 20) -> None:
    """Drop the older part of a log that grew beyond ``limit`` bytes, while its writer goes on appending."""
    if not path.exists() or path.stat().st_size <= limit:
        return
    with open(path, "r+b") as file:
        file.seek(-kept, os.SEEK_END)
        tail = file.read(kept).partition(b"\n")[2]
        # In place: the worker holds this file open for appending and would go on in a renamed one.
        file.truncate(0)
    notice = f"[tunesmith] This log passed {limit >> 20} MB; older lines were dropped.\n"
    with open(path, "ab") as file:
        file.write(notice.encode() + tail)


# 4 MB at a time bound the engine's memory; no event of ours comes near to it.
def new_lines(path: Path, offset: int, limit: int = 4 << 20) -> Iterator[tuple[int, bytes]]:
    """Complete lines of a file that grows, from byte ``offset``: ``(offset after it, line)``.

    A torn last line is left for the next call; a line longer than ``limit`` is given as empty.
    """
    with open(path, "rb") as file:
        file.seek(offset)
        block = file.read(limit)
        # Not one end of a line in 4 MB: it is skipped to its end, or the run
        # would stand still at this offset for ever.
        if len(block) == limit and b"\n" not in block:
            after = offset + limit
            while part := file.read(limit):
                if (end := part.find(b"\n")) >= 0:
                    yield after + end + 1, b""
                    return
                after += len(part)
            return
    start = 0
    while (end := block.find(b"\n", start)) >= 0:
        yield offset + end + 1, block[start:end]
        start = end + 1
