"""Files of an export uploaded to the Hub: ``python -m jobs.worker RUN_DIR`` with a ``PushRun`` in ``spec.json``."""

from __future__ import annotations

import os
import time
from pathlib import Path

from jobs.progress import Progress
from studio_core.base.atomic import read_json, write_json
from studio_core.data import hub_upload
from studio_core.runs.run_folder import PUSHED, SPEC, EventWriter
from studio_core.runs.spec import PushRun

_OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")


def main(run_dir: Path) -> None:
    began = time.monotonic()
    run, events = PushRun.model_validate(read_json(run_dir / SPEC)), EventWriter(run_dir)
    progress = Progress(events)
    events.write("phase", phase="uploading")
    # A worker is set to be offline; whoever pushes to the Hub wants it to be asked.
    environment = {name: value for name, value in os.environ.items() if name not in _OFFLINE}
    asked = hub_upload.of_model(run, run_dir)
    answer = hub_upload.carried_out(asked, environment, lambda done, total: progress(done, total, {}))
    progress.last()
    write_json(run_dir / PUSHED, answer)
    seconds = round(time.monotonic() - began, 2)
    events.write("result", state="succeeded", step=progress.done, total_steps=progress.total, seconds=seconds)
