"""Rows of a dataset of the Hub, fetched into this job's folder, from where they are imported like a file.

The work is done by a process of its own (``hub_rows``), since the worker itself is set to be offline.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from studio_core.base.atomic import write_json
from studio_core.base.errors import StudioError
from studio_core.curation.base import Stopped, Work
from studio_core.runs.run_folder import FETCHED

ROWS = "rows.jsonl"


def run(work: Work, options: dict[str, Any]) -> None:
    environment = {
        **os.environ,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "USE_TORCH": "0",  # Its import takes longer than the first thousand rows.
    }
    # Whoever names a dataset of the Hub wants it to be asked; nothing else does.
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
        environment.pop(name, None)
    environment["HF_HOME"] = str(work.folder / "hub")
    command = [sys.executable, "-m", "jobs.curation.hub_rows", json.dumps(options), str(work.folder / ROWS)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        try:
            told = _follow(work, child)
        finally:
            if child.poll() is None:
                child.terminate()
    if "origin" not in told:
        raise StudioError("adding.hub_ended", name=options["hub"], code=child.returncode)
    work.counts.update(kept=told["done"])
    work.details["origin"] = told["origin"]
    name = options["hub"].rpartition("/")[2]
    write_json(work.folder / FETCHED, {"file": ROWS, "name": f"{name}.jsonl", "origin": told["origin"]})


def _follow(work: Work, child: subprocess.Popen[str]) -> dict[str, Any]:
    """Pass on what the child tells, line by line; raises what it failed with."""
    assert child.stdout is not None
    told: dict[str, Any] = {"done": 0}
    for line in child.stdout:
        message = json.loads(line)
        if "key" in message:
            raise StudioError(message["key"], **message["values"])
        told.update(message)
        work.report(told["done"], told.get("total"), {})
        if work.stopping():
            break
    if work.stopping():  # What has come so far is kept.
        if not told["done"]:
            raise Stopped
        told["origin"]["rows"] = told["done"]
    return told
