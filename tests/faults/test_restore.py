"""Going back to a copy of the database, as docs/CLI.md tells."""

from __future__ import annotations

import shutil

from studio_core.base import backup
from studio_core.base.states import Cause
from studio_core.base.studio import open_studio
from studio_core.machine import doctor
from studio_core.runs import queue, run_folder
from tests.faults.conftest import EngineProcess, folder


def test_a_copy_made_while_a_run_reports_is_put_back_by_hand(engine: EngineProcess) -> None:
    settings = engine.studio.settings
    engine.start()
    before = engine.submit(steps=2)
    engine.wait_for(before, "succeeded")
    running = engine.submit(steps=100_000, pause=0.002)
    engine.wait_for_step(running, 5)
    copy = backup.copy(engine.studio.db, settings.home / "copy.db")
    queue.request_stop(engine.studio, running.id, queue.Stop.SAVE)
    later = engine.submit(steps=2)
    engine.wait_for(later, "succeeded")
    engine.end()
    engine.studio.close()

    shutil.copyfile(copy, settings.database)
    for name in ("studio.db-wal", "studio.db-shm"):
        (settings.home / name).unlink(missing_ok=True)

    engine.studio = open_studio(settings)
    assert [job.id for job in queue.all_jobs(engine.studio)] == [running.id, before.id]
    engine.start()
    engine.wait_for(running, "succeeded")  # Its own folder still says how it ended.
    taken = engine.submit(steps=2)
    assert taken.id == later.id
    ended = engine.wait_for(taken, "failed")
    assert ended.cause == Cause.START_FAILED and "doctor --fix" in (ended.detail or "")
    assert (folder(later) / run_folder.EXIT).exists()  # Nothing of the other run was touched.
    engine.wait_for(engine.submit(steps=2), "succeeded")


def test_folders_that_the_copy_does_not_know_are_put_aside_first(engine: EngineProcess) -> None:
    settings = engine.studio.settings
    copy = backup.copy(engine.studio.db, settings.home / "copy.db")
    engine.start()
    engine.wait_for(engine.submit(steps=2), "succeeded")
    engine.end()
    engine.studio.close()
    shutil.copyfile(copy, settings.database)
    for name in ("studio.db-wal", "studio.db-shm"):
        (settings.home / name).unlink(missing_ok=True)
    engine.studio = open_studio(settings)
    [sentence] = doctor.repair([check for check in doctor.examine(engine.studio) if check.name == "runs"])
    assert "trash" in sentence
    engine.start()
    job = engine.submit(steps=3)
    engine.wait_for(job, "succeeded")
    [kept] = (settings.home / "trash").iterdir()
    assert (kept / run_folder.EXIT).exists()
