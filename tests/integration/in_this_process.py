"""Jobs carried out by the real engine in the process of the test, which spares each the start of one of its own."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from jobs.engine import devices
from jobs.engine.launcher import Launch, Launcher, Liveness
from jobs.engine.loop import Engine
from jobs.training.start import script
from jobs.worker import tell
from studio_core.base import atomic
from studio_core.base.states import TERMINAL
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.runs import kinds, queue, run_folder

_FINE = {"returncode": 0, "signal": None, "stop": None, "forced": False, "strays": 0, "oom_kills": 0}


class InThisProcess(Launcher):
    """Carries a run out where it is started, and so before ``start`` returns."""

    def start(self, launch: Launch) -> None:
        launch.write()
        spec = json.loads((launch.run_dir / run_folder.SPEC).read_text(encoding="utf-8"))
        before = signal.getsignal(signal.SIGTERM)
        try:
            if (kind := spec["spec"]["kind"]) == "train":
                script(spec["spec"]["method"]).main(launch.run_dir)  # type: ignore[attr-defined]
            else:
                kinds.call(kinds.KINDS[kind].script, launch.run_dir)
            record = _FINE
        except Exception as error:
            tell(launch.run_dir, error)
            record = {**_FINE, "returncode": 1}
        finally:
            signal.signal(signal.SIGTERM, before)
        atomic.write_json(launch.run_dir / run_folder.EXIT, record)

    def poll(self, run_dir: Path) -> Liveness:
        return Liveness.ENDED


def carried_out(studio: Studio, job: Job) -> Job:
    """The job once the engine has done all it does with one."""
    queue.set_devices(studio, devices.detect_slots(studio.settings))
    engine = Engine(studio, InThisProcess())
    for _ in range(5):
        engine.tick()
        if (now := queue.get(studio, job.id)).state in TERMINAL:
            return now
    pytest.fail(f"job {job.id} is still {now.state}")


def stop_at(step: int, patch: pytest.MonkeyPatch) -> None:
    """Ask the run to save and end, as its supervisor would, once it has reported ``step``."""
    write = run_folder.EventWriter.write

    def writes(self: run_folder.EventWriter, type: str, **fields: Any) -> None:
        write(self, type, **fields)
        if type == "metrics" and fields["step"] == step:
            os.kill(os.getpid(), signal.SIGTERM)

    patch.setattr(run_folder.EventWriter, "write", writes)
