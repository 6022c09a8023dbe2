"""A tracker without a library, for tests of followers: keeps what it is told, and can misbehave.

    python toy_sink.py FILE FAULT NAME

``FAULT``: none; hang, die or refuse at the first message of metrics; ``once`` before it: only the first time.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path


def main() -> None:
    file, fault = Path(sys.argv[1]), sys.argv[2]
    for line in sys.stdin:
        message = json.loads(line)
        if fault != "none" and "write" in message:
            misbehave(fault, file.with_suffix(".once"))
        with open(file, "a") as kept:
            kept.write(line)
        answer = {"run": message["begin"]["run"] or "toy", "where": str(file)} if "begin" in message else {}
        print(json.dumps(answer), flush=True)


def misbehave(fault: str, mark: Path) -> None:
    if fault.startswith("once "):
        if mark.exists():
            return
        mark.touch()
    if fault.endswith("hang"):
        time.sleep(3600)
    if fault.endswith("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    if fault.endswith("refuse"):
        print(json.dumps({"error": "CommError: no such project"}), flush=True)
        raise SystemExit(1)


main()
