"""A run's follower: ``python -m jobs.tracking RUN_DIR TRACKER ...``. Sends what the run reports to trackers.

It reads the run's folder only. Each tracker has a thread here and a sink of its own (``jobs/tracking/sink.py``), so
that one that hangs keeps no other waiting; the run itself knows nothing of them.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
import threading
from pathlib import Path

from jobs.tracking.following import Following
from studio_core.base import settings
from studio_core.base.errors import StudioError

log = logging.getLogger("jobs.tracking")
# Behind whatever trains and whoever looks.
NICE = 10


def main() -> int:
    os.umask(0o077)
    parser = argparse.ArgumentParser(prog="python -m jobs.tracking")
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("tracker", nargs="+")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    with contextlib.suppress(OSError):
        os.nice(NICE)
    try:
        chosen = settings.load()
        followings = [Following(chosen, given.run_dir, name) for name in given.tracker]
    except StudioError as error:
        log.error("%s", error)
        return error.exit_code
    # Of a daemon nobody waits at an interrupt; its sink ends when its input does.
    threads = [threading.Thread(target=_follow, args=[following], daemon=True) for following in followings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return 0


def _follow(following: Following) -> None:
    try:
        following.follow()
    except Exception:  # Of one tracker; the others go on.
        log.exception("A run cannot be followed")


if __name__ == "__main__":
    sys.exit(main())
