"""One run, in a process of its own: ``python -m jobs.worker RUN_DIR``.

Reads ``spec.json``, does what it says, appends to ``events.jsonl``. Knows neither the database
nor who started it, so a run folder and this repository are enough to carry a run out anywhere.

With ``--warm FOLDER`` it does its imports first, makes the file ``ready`` in that folder, and waits on
standard input for one line ``{"run_dir": ..., "env": {...}}``; the end of the input, without a line, ends it.

From the environment: ``TUNESMITH_DEVICE`` (cpu or cuda), ``CUDA_VISIBLE_DEVICES``, ``OMP_NUM_THREADS``.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import importlib
import json
import logging
import os
import signal
import sys
import traceback
import warnings
from pathlib import Path
from typing import NoReturn

from jobs.training import ranks

# Read by libraries when they are imported, so set before any is. With the default spinning of
# OpenMP one busy neighbour makes training on two threads many times slower.
DEFAULTS = {
    "GOMP_SPINCOUNT": "1000",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "TRL_EXPERIMENTAL_SILENCE": "1",
    "TOKENIZERS_PARALLELISM": "true",
    "TQDM_DISABLE": "1",
    "PYTHONUNBUFFERED": "1",
}


NICE = 10
"""Of a training on a CPU. It learns as fast while nobody else computes; a page waits for it at most a few ms."""


def main() -> NoReturn:
    # Logs, samples and checkpoints show a person's data: for their owner's eyes only.
    os.umask(0o077)
    # Before the long imports: a supervisor that dies meanwhile leaves no worker behind.
    die_with_parent()
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    # It warns of a kernel that only 4-bit training on a CPU would use.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    # That one library calls another by an old name is nothing that the reader of a log could mend.
    warnings.filterwarnings("ignore", category=FutureWarning)
    parser = argparse.ArgumentParser(prog="python -m jobs.worker")
    parser.add_argument("run_dir", type=Path, nargs="?")
    parser.add_argument("--warm", action="store_true", help="do all imports, then wait for the run")
    given = parser.parse_args()
    if not given.warm and given.run_dir is None:
        parser.error("name the folder of the run, or --warm")
    run_dir = wait_for_run(given.run_dir) if given.warm else given.run_dir.resolve()
    end(run(run_dir))


def die_with_parent() -> None:
    """Have the kernel kill this process with the one that started it (on Linux)."""
    if sys.platform == "linux":
        parent, set_death_signal = os.getppid(), 1
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL, 0, 0, 0)
        # The kernel tells of deaths after the call only.
        if os.getppid() != parent:  # It died before the call.
            os._exit(1)


def give_way() -> None:
    """Let the pages have the CPU first: a training takes what they leave, which on an idle machine is all."""
    os.setpriority(os.PRIO_PROCESS, 0, max(NICE, os.getpriority(os.PRIO_PROCESS, 0)))


def wait_for_run(warm_dir: Path | None) -> Path:
    """Import everything that a run needs, then read which run it is and log into its folder."""
    importlib.import_module("jobs.training.warmup").prepare()
    if warm_dir is not None:
        with contextlib.suppress(FileNotFoundError):  # A run came already: its supervisor tidied up.
            (warm_dir / "ready").touch()
    else:
        print("ready", flush=True)
    # An idle worker ends when its supervisor closes this input: nobody has to kill it.
    line = sys.stdin.readline()
    if not line:
        end(0)
    order = json.loads(line)
    os.environ.update(order.get("env", {}))
    if threads := os.environ.get("OMP_NUM_THREADS"):  # Torch read it at its import, before this line.
        importlib.import_module("torch").set_num_threads(int(threads))
    run_dir = Path(order["run_dir"]).resolve()
    log = os.open(run_dir / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    # By number, so that libraries written in C print there too.
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    return run_dir


def run(run_dir: Path) -> int:
    """Carry out the run; the exit code. What goes wrong is an ``error`` event with its cause."""
    try:
        spec = json.loads((run_dir / "spec.json").read_text(encoding="utf-8"))
        # A chat's document is the wish itself; that of a training or of work on data holds it in ``spec``.
        asked = spec.get("spec", spec)
        kinds = importlib.import_module("studio_core.runs.kinds")
        kind = kinds.KINDS[asked["kind"]]
        # On a GPU the processor feeds the card, and a training that gives way would leave it idle.
        if kind.nice and os.environ.get("TUNESMITH_DEVICE") == "cpu":
            give_way()
        return int(kinds.call(kind.script, run_dir) or 0)
    except BaseException as error:  # The border of the process: everything is told, nothing passes.
        if isinstance(error, SystemExit) and not error.code:
            return 0
        traceback.print_exc()
        tell(run_dir, error)
        return 1


def tell(run_dir: Path, error: BaseException) -> None:
    from jobs.training.failures import named
    from studio_core.runs.run_folder import EventWriter

    try:
        # Of several ranks the launcher tells the earliest error: the others fail because the first is gone.
        if ranks.TEAM in os.environ:
            ranks.tell(run_dir, named(error))
        else:
            EventWriter(run_dir).write("error", **named(error))
    except OSError:  # The disk is full: the log and the exit code must do.
        traceback.print_exc()


def end(code: int) -> NoReturn:
    """End without the second that the teardown of the libraries takes."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
