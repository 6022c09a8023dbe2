"""Calls of Linux that Python 3.11 has no name for. Numbers and flags are those of its headers."""

from __future__ import annotations

import ctypes
import os

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    0x0002_0000,
    0x0400_0000,
    0x0800_0000,
    0x1000_0000,
    0x2000_0000,
    0x4000_0000,
)
"""Namespaces, for ``unshare``."""
RDONLY, NOSUID, NODEV, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
"""For ``mount``."""
DETACH = 2
"""For ``umount``."""
SET_PDEATHSIG, SET_SECCOMP, SET_CHILD_SUBREAPER, SET_NO_NEW_PRIVS = 1, 22, 36, 38
"""For ``prctl``."""

_libc = ctypes.CDLL(None, use_errno=True)
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}


def prctl(what: int, value: object = 0, more: object = 0) -> None:
    _call("prctl", what, ctypes.c_ulong(value) if isinstance(value, int) else value, more, 0, 0)


def unshare(flags: int) -> None:
    _call("unshare", flags)


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    _call("mount", source.encode(), target.encode(), kind.encode() or None, flags, data.encode() or None)


def enter_root(folder: str) -> None:
    """Make a mount the root of all files; what was there before is gone from sight."""
    os.chdir(folder)
    # Root and old root in one place, as pivot_root(2) shows: no folder is needed for the old one.
    _call("syscall", _PIVOT_ROOT[os.uname().machine], b".", b".")
    _call("umount2", b".", DETACH)
    os.chdir("/")


def _call(name: str, *arguments: object) -> None:
    """Raises ``OSError`` with the name of the call; ``AttributeError`` where the system has none of that name."""
    if getattr(_libc, name)(*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
