"""A worker without torch, for tests of the engine: speaks the protocol of ``run_folder`` and can misbehave.

Its spec: ``{"steps", "pause", "fault", ...}``. Started in place of ``jobs.worker`` through
``TUNESMITH_WORKER_COMMAND``.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from studio_core.runs import run_folder
from studio_core.runs.run_folder import EventWriter

told_to_save = threading.Event()


def save_checkpoint(run_dir: Path, step: int, events: EventWriter, spec: dict[str, Any]) -> None:
    folder = run_dir / run_folder.CHECKPOINTS / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "weights").write_bytes(b"w" * spec.get("checkpoint_bytes", 1000))
    time.sleep(spec.get("save_pause", 0))
    size = run_folder.write_manifest(folder, step)
    events.write("checkpoint", step=step, path=str(folder.relative_to(run_dir)), bytes=size)


def train(run_dir: Path, spec: dict[str, Any], events: EventWriter) -> None:
    steps, fault = spec.get("steps", 5), spec.get("fault")
    events.write("phase", phase="training")
    for index in range(1000 if fault == "answers" else 0):
        events.write("sample", step=0, when="before", index=index, prompt=f"Question {index}", answer="Hm.")
        time.sleep(0.1)
    step = 0
    for step in range(1, steps + 1):
        if fault == f"kill at {step}":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == f"gpu memory at {step}":
            raise MemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        if fault == f"disk at {step}":
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        if fault == "tail" and step == 3:
            line = f'{{"seq": {events._seq + 1}, "at": "2026-01-01T00:00:00Z", "type": "metrics", "step": 3, '
            os.write(events._file, line.encode())
            wait_for(run_dir / "go on")
            os.write(events._file, b'"values": {"loss": NaN}}\nnot json at all\n')
            events._seq += 2
            continue
        events.write("metrics", step=step, total_steps=steps, epoch=0.0, values={"loss": 1.0 / step})
        if step in spec.get("checkpoints", []):
            save_checkpoint(run_dir, step, events, spec)
        if told_to_save.wait(spec.get("pause", 0)):
            save_checkpoint(run_dir, step, events, spec)
            break
    model = run_dir / run_folder.MODEL
    model.mkdir()
    (model / "config.json").write_text("{}")
    state = "stopped" if told_to_save.is_set() else "succeeded"
    events.write(
        "result", state=state, model="model", kind="full", step=step, total_steps=steps, seconds=1.0,
        peak_memory=0, parameters=1,
    )  # fmt: skip
    if fault == "linger":
        time.sleep(60)


def misbehave(run_dir: Path, spec: dict[str, Any]) -> None:
    fault = spec.get("fault")
    if fault == "ignore":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if fault == "ranks":
        command = [sys.executable, "-c", "import time; time.sleep(600)"]
        ranks = [subprocess.Popen(command, start_new_session=True) for _ in range(2)]
        (run_dir / "ranks").write_text(json.dumps([rank.pid for rank in ranks]))
    if fault == "flood":
        chunk = b"x" * (1 << 20)
        for _ in range(spec["megabytes"]):
            os.write(1, chunk)
        os.write(1, b"\nthe flood is over\n")


def wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.01)


def run(run_dir: Path) -> int:
    spec = json.loads((run_dir / run_folder.SPEC).read_text())
    with open(run_dir / "starts", "a") as starts:
        starts.write(f"{os.getpid()} {os.environ.get('OMP_NUM_THREADS')}\n")
    signal.signal(signal.SIGTERM, lambda *_: told_to_save.set())
    print("toy begins", flush=True)
    events = EventWriter(run_dir)
    misbehave(run_dir, spec)
    try:
        if spec.get("kind") == "serve":
            told_to_save.wait(spec.get("idle_seconds", 0))
        else:
            train(run_dir, spec, events)
    except MemoryError as error:
        events.write("error", cause="out_of_memory_gpu", message=str(error))
        return 1
    except OSError as error:
        cause = "disk_full" if error.errno in (errno.ENOSPC, errno.EFBIG) else "error"
        events.write("error", cause=cause, message=str(error))
        return 1
    return 0


def main() -> int:
    if sys.argv[1] != "--warm":
        return run(Path(sys.argv[1]))
    if os.environ.get("TOY_WARM") == "dies":
        print("no imports today")
        return 1
    with contextlib.suppress(FileNotFoundError):  # A run came already: its supervisor tidied up.
        (Path(sys.argv[2]) / "ready").touch()
    line = sys.stdin.readline()
    if not line:
        return 0
    order = json.loads(line)
    os.environ.update(order["env"])
    return run(Path(order["run_dir"]))


if __name__ == "__main__":
    sys.exit(main())
