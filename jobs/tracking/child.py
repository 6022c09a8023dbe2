"""A sink as its follower sees it: one message, one answer, within a time."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SINK = Path(__file__).with_name("sink.py")
COMMAND = "TUNESMITH_SINK_COMMAND"
"""A JSON list that replaces Python and ``sink.py``, for tests; the tracker's name is appended."""
# Bytes of the log in which the reason of an end is looked for.
_TAIL = 4096


class SinkFailed(Exception):
    """``trouble`` names a text ``trackers.trouble_<trouble>``."""

    def __init__(self, trouble: str, **values: Any) -> None:
        self.trouble, self.values = trouble, values
        super().__init__(trouble)


class Child:
    def __init__(self, tracker: str, python: str, log: Path) -> None:
        command = json.loads(os.environ.get(COMMAND, "null"))
        # Isolated where it is another Python, whose packages are not to be mixed with the studio's.
        command = command or [python or sys.executable, "-I" if python else "-P", str(SINK)]
        self._log = log
        # No GPU: a library that measures the machine would hold memory on cards that belong to runs.
        env = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONUNBUFFERED": "1"}
        try:
            with open(log, "ab") as output:
                self._process = subprocess.Popen(
                    [*command, tracker],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=output,
                    cwd=log.parent,
                    env=env,
                    # A library's own helpers are in its group, and end with it.
                    start_new_session=True,
                    bufsize=0,
                )
        except OSError as error:
            raise SinkFailed(
                "not_started", program=command[0], reason=error.strerror or str(error)
            ) from error

    def ask(self, message: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Its answer; raises ``SinkFailed`` if it says what is wrong, ends, or takes longer."""
        assert self._process.stdin and self._process.stdout
        deadline = time.monotonic() + seconds
        try:
            self._send(self._process.stdin.fileno(), json.dumps(message).encode() + b"\n", deadline, seconds)
            line = self._line(self._process.stdout.fileno(), deadline, seconds)
            answer: dict[str, Any] = json.loads(line)
        except (OSError, ValueError) as error:
            raise SinkFailed("ended", reason=self._last_word()) from error
        if answer.get("missing"):
            raise SinkFailed("not_installed", module=answer["missing"])
        if "error" in answer:
            raise SinkFailed("error", reason=answer["error"][:300])
        return answer

    def _send(self, pipe: int, line: bytes, deadline: float, seconds: float) -> None:
        # Without blocking: the pipe of a sink that hangs is full after 64 KB.
        os.set_blocking(pipe, False)
        while line:
            if not select.select([], [pipe], [], max(0.0, deadline - time.monotonic()))[1]:
                raise SinkFailed("hung", seconds=round(seconds))
            line = line[os.write(pipe, line) :]

    def _line(self, pipe: int, deadline: float, seconds: float) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise SinkFailed("hung", seconds=round(seconds))
            part = os.read(pipe, 1 << 16)
            if not part:
                raise ValueError("it ended without an answer")
            line += part
        return line

    def _last_word(self) -> str:
        code = self._process.wait()
        with open(self._log, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            last = file.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"{name}: {last[:200]}" if last else name

    def close(self) -> None:
        """End it, and whatever it has started."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        # Its leader may have ended by itself; helpers of its group may not.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process.stdout.close()
