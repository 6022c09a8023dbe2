"""One tracker's library at work: ``python sink.py NAME``, by a Python that has it.

The standard library and ``sinks/NAME.py`` only, nothing of the studio. Each line on standard input is one message,
each answered by one line on standard output:

    {"begin": {"run", "name", "config", "folder", "options", "key", "address", "step"}}   {"run", "where"}
    {"write": [event, ...]}                                                               {}
    {"end": state, "at": seconds}                                                         {}

``run``: what the library called it before, empty for a new one; ``address``: empty where it stays on this machine;
``step``: of the checkpoint that a resumed run goes on from. Events are those of ``jobs/tracking/events.py``. What
fails is answered by ``{"error", "missing"}``, and the process ends; ``missing``: a package that is not installed.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import runpy
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1


def main() -> int:
    # What a library prints goes into the log beside what it warns of: the answers have a line of their own.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    _die_with_parent()
    sink: Any = None
    for line in sys.stdin:
        message = json.loads(line)
        try:
            if "begin" in message:
                script = Path(__file__).with_name("sinks") / f"{sys.argv[1]}.py"
                sink = runpy.run_path(str(script))["Sink"](message["begin"])
                answer = {"run": sink.run, "where": sink.where}
            else:
                answer = _carried_out(sink, message)
        except Exception as error:
            traceback.print_exc()
            absent = error.name if isinstance(error, ModuleNotFoundError) else None
            answer = {"error": f"{type(error).__name__}: {error}", "missing": absent}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        if "error" in answer:
            return 1
    return 0


def _carried_out(sink: Any, message: dict[str, Any]) -> dict[str, Any]:
    for event in message.get("write", ()):
        match event["type"]:
            case "metrics":
                sink.metrics(event["step"], event["at"], event["values"])
            case "answers":
                sink.answers(event["step"], event["at"], event["rows"])
            case "notice":
                sink.notice(event["seq"], event["at"], event["text"])
            case "config":
                sink.config(event["values"])
    if "end" in message:
        sink.end(message["end"], message["at"])
    else:
        sink.flush()
    return {}


def _die_with_parent() -> None:
    """A library that hangs would outlive whoever waits for it."""
    # Ctrl-C in the terminal of a command reaches the follower, which then ends this.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


if __name__ == "__main__":
    # The answers end with the loop; what a library does at exit is not waited for by anybody.
    sys.exit(main())
