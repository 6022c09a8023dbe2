"""Ending what a benchmark started: engine, supervisors and workers of its data folder."""

from __future__ import annotations

import json
import time
from pathlib import Path

import psutil

from jobs.engine import tree
from studio_core.runs.engine_process import LOCK


def engine_pid(home: Path) -> int:
    """The engine of a data folder. Its lock is held a moment before its number stands in it."""
    while not (text := (home / LOCK).read_text().strip()):
        time.sleep(0.01)
    return int(json.loads(text)["pid"])


def end_all(home: Path, patience: float = 30.0) -> None:
    """End every process that belongs to the data folder, and wait until none writes to it any more."""
    belonging = list(_belonging(home))
    for process in belonging:
        process.terminate()
    _, alive = psutil.wait_procs(belonging, patience)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, patience)


def _belonging(home: Path) -> list[psutil.Process]:
    """The engine names the folder on its command line, whatever it started has it in its environment."""
    named = []
    for process in psutil.process_iter():
        try:
            if str(home) in process.cmdline() or tree.belongs(process.pid, home):
                named.append(process)
        except psutil.Error:
            continue  # It ended meanwhile, or is another user's, and so none of ours.
    return named
