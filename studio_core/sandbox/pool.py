"""The helpers of this process: started when they are needed, ended at a limit, started again."""

from __future__ import annotations

import atexit
import os
import queue
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, Popen

from studio_core.base.errors import BadInput, StudioError
from studio_core.sandbox import frames, limits
from studio_core.sandbox.limits import ADDRESS_SPACE, HELPERS, PATIENCE, THREADS

_ROOT = Path(__file__).resolve().parent.parent.parent


class _Retired(Exception):
    """The helper had ended of itself before it took the call."""


class Helper:
    """One child process. Not for several threads at once."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = Popen(
                # -P: no module from the folder it runs in; -B: it may write no files,
                # so that it does not try.
                [sys.executable, "-P", "-B", "-m", "studio_core.sandbox.child"],
                stdin=theirs.fileno(),
                stdout=DEVNULL,
                stderr=DEVNULL,  # What a library prints when it panics would fill the log.
                cwd="/",
                env=_environment(),
                start_new_session=True,
            )
        self.connection = ours

    def ask(self, request: bytes) -> bytes:
        """The answer to a call. Raises ``BadInput`` if it came to a limit; the helper is of no use afterwards."""
        seconds = limits.processor_seconds(len(request))
        deadline = time.monotonic() + limits.wall_seconds(len(request))
        try:
            # The limit goes ahead of the call, since the helper sets it before it reads more.
            frames.send(self.connection, str(seconds).encode(), deadline)
            frames.send(self.connection, request, deadline)
            answer = frames.receive(self.connection, deadline)
        except TimeoutError:
            raise _too_slow(seconds) from None
        except frames.TooLong:
            raise BadInput("sandbox.too_much", limit=frames.LONGEST >> 20) from None
        except OSError:
            answer = b""
        if answer:
            return answer
        # The line is closed: it has ended, and its code says by what.
        code = self.process.wait()
        if code == 0:
            raise _Retired
        if code == -signal.SIGXCPU:
            raise _too_slow(seconds)
        raise BadInput("sandbox.crashed", reason=_exit_name(code), limit=ADDRESS_SPACE >> 30)

    def end(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.wait()


def ask(request: bytes) -> bytes:
    """Have a helper answer a call; waits for a free one."""
    try:
        helper = _idle.get(timeout=PATIENCE)
    except queue.Empty:
        raise StudioError("sandbox.busy", seconds=int(PATIENCE)) from None
    try:
        if helper is None or helper.process.poll() is not None:
            helper = _fresh(helper)
        try:
            return helper.ask(request)
        except _Retired:
            # It had reached its size or its idle time just before: nothing was
            # lost, and a new one is asked.
            helper = _fresh(helper)
            return helper.ask(request)
    except BaseException:
        # Also when the caller is interrupted: a helper in the middle of a
        # call would give its answer to the next one.
        if helper is not None:
            helper.end()
        helper = None
        raise
    finally:
        _idle.put(helper)


def _fresh(old: Helper | None) -> Helper:
    if old is not None:
        old.end()
    return Helper()


def close() -> None:
    """End all helpers that are idle; the next call starts one."""
    for _ in range(HELPERS):
        with suppress(queue.Empty):
            if helper := _idle.get_nowait():
                helper.end()
            _idle.put(None)


# The last one used is the first one taken, so that a second is only there when two calls came at once.
_idle: queue.LifoQueue[Helper | None] = queue.LifoQueue()
for _ in range(HELPERS):
    _idle.put(None)
atexit.register(close)


def _environment() -> dict[str, str]:
    """Nothing of the studio's own environment, which may hold keys, but the time zone."""
    # LD_LIBRARY_PATH where the interpreter itself needs it.
    kept = {name: os.environ[name] for name in ("TZ", "LD_LIBRARY_PATH") if name in os.environ}
    return {
        "PYTHONPATH": str(_ROOT),
        "LANG": "C.UTF-8",
        # glibc reserves 64 MB of address space for each thread's arena, and the limit counts it.
        "MALLOC_ARENA_MAX": "2",
        "RAYON_NUM_THREADS": str(min(THREADS, os.cpu_count() or 1)),
        "TOKENIZERS_PARALLELISM": "true",
        **kept,
    }


def _too_slow(seconds: int) -> BadInput:
    return BadInput("sandbox.too_slow", seconds=seconds)


def _exit_name(code: int) -> str:
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"exit code {code}"
