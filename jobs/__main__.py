"""The engine of one data folder: ``python -m jobs --home DIR``. Started by the page or the command line."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import socket
import sys
import threading
from logging.handlers import RotatingFileHandler

from jobs.engine.launcher import LocalLauncher
from jobs.engine.loop import Engine
from studio_core import texts
from studio_core.base import clock, settings
from studio_core.base.errors import StudioError
from studio_core.base.studio import open_studio
from studio_core.runs import run_folder
from studio_core.runs.engine_process import LOCK, code

SECOND_ENGINE = 3


def main() -> int:
    os.umask(0o077)  # What a run writes is its owner's.
    parser = argparse.ArgumentParser(
        prog="python -m jobs", description="Carry out the queue of a data folder."
    )
    parser.add_argument("--home", help="data folder (default: TUNESMITH_HOME or ~/.tunesmith)")
    given = parser.parse_args()
    try:
        chosen = settings.load(home=given.home)
        path = chosen.home / LOCK
        lock = run_folder.hold(path)
        if lock is None:
            other = json.loads(path.read_text() or "{}")
            values = {"pid": other.get("pid", "?"), "host": other.get("host", "?"), "home": chosen.home}
            print(texts.text("engine.second_engine", **values), file=sys.stderr)
            return SECOND_ENGINE
        me = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": clock.iso(clock.now()),
            "code": code(),
        }
        os.truncate(lock, 0)
        os.pwrite(lock, json.dumps(me).encode(), 0)
        _log_to(str(chosen.logs / "engine.log"))
        stopped = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
        studio = open_studio(chosen)
        logging.info("Engine %d begins on %s", os.getpid(), chosen.home)
        Engine(studio, LocalLauncher(chosen)).run(stopped)
        studio.close()
        logging.info("Engine %d ends; runs go on", os.getpid())
    except StudioError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _log_to(path: str) -> None:
    handler = RotatingFileHandler(path, maxBytes=5_000_000, backupCount=3, encoding="utf-8")
    logging.basicConfig(
        level=logging.INFO, handlers=[handler], format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )


if __name__ == "__main__":
    sys.exit(main())
