"""The process tree of one run: finding and killing all of it.

Killing a process group is not enough: a launcher of several ranks gives each rank
a session of its own. So each worker is born with a random mark in its environment,
which its children inherit, and the tree is whoever bears the mark or descends from
the supervisor. Without /proc (macOS) it is the worker's group only.

Imports the standard library only: the supervisor uses this.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

MARK = "TUNESMITH_TREE"
STUDIO = "TUNESMITH_STUDIO"
"""In the environment of all runs of a studio: its data folder."""

_PROC = Path("/proc")
_LINUX = sys.platform.startswith("linux")
VISIBLE = _LINUX and _PROC.is_dir()
"""Whether the processes of a tree can be listed; otherwise only the worker's group can be killed."""
# Numbers of linux/prctl.h, for which Python has no names.
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None) if _LINUX else None


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies."""
    if _libc:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    """In a new child, before it becomes another program: let the kernel kill it with its parent."""
    if _libc:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def boot_id() -> str:
    """Changes with every boot of the machine; empty where it cannot be known."""
    path = _PROC / "sys/kernel/random/boot_id"
    return path.read_text().strip() if path.exists() else ""


def start_ticks(pid: int) -> int:
    """When a process started, in clock ticks since boot: with the pid it names one process for good."""
    return int(_stat(pid)[19]) if VISIBLE else 0


def oom_kills() -> int:
    """How many processes the kernel has killed for want of memory since boot."""
    path = _PROC / "vmstat"
    lines = path.read_text().splitlines() if path.exists() else []
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def members(mark: str, root: int | None = None) -> set[int]:
    """Living processes that bear the mark, and the descendants of ``root``."""
    parents: dict[int, int] = {}
    marked: set[int] = set()
    sought = f"{MARK}={mark}".encode()
    for entry in _PROC.iterdir() if VISIBLE else ():
        if not entry.name.isdigit():
            continue
        pid = int(entry.name)
        with contextlib.suppress(OSError):  # It ended meanwhile, or it is another user's.
            state, parent = _stat(pid)[:2]
            # Dead and not yet reaped: it holds no device and needs no signal.
            if state in "ZX":
                continue
            parents[pid] = int(parent)
            if sought in (entry / "environ").read_bytes().split(b"\0"):
                marked.add(pid)
    found = marked
    if root is not None:
        found = marked | _descendants(root, parents)
    # Never the supervisor itself, which has to live on for the exit record.
    return found - {os.getpid()}


def belongs(pid: int, home: Path) -> bool:
    """Whether a process is part of a run of the studio with this data folder."""
    try:
        environment = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:  # It ended, is another user's, or lives in another container.
        return False
    return f"{STUDIO}={home}".encode() in environment.split(b"\0")


def kill(mark: str, root: int | None = None, group: int | None = None) -> int:
    """Send SIGKILL to all of the tree; how many processes were found alive."""
    found = members(mark, root)
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    # The group as well: a child that was born after the list was made is in it.
    if group is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    return len(found)


def reap() -> None:
    """Let ended children go, adopted ones too."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _descendants(root: int, parents: dict[int, int]) -> set[int]:
    found: set[int] = set()
    fresh = {root}
    while fresh:
        fresh = {pid for pid, parent in parents.items() if parent in fresh} - found
        found |= fresh
    return found


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on; the name before it may hold anything."""
    return (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
