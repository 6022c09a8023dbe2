from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from studio_core.base import atomic, backup, clock
from studio_core.base.studio import Studio
from studio_core.data import store
from studio_core.machine import doctor
from studio_core.machine.doctor import Check, examine, repair
from studio_core.people import accounts, sign_in
from studio_core.runs import queue, run_folder
from tests.conftest import wait_until


def found(studio: Studio, name: str) -> Check:
    return next(check for check in examine(studio) if check.name == name)


def test_a_new_studio_is_well(studio: Studio) -> None:
    assert {check.state for check in examine(studio)} == {"good"}
    assert repair(examine(studio)) == []


def test_folders_of_no_job_are_put_aside_and_not_removed(studio: Studio) -> None:
    orphan, held = studio.settings.runs / "77", studio.settings.runs / "78"
    for folder in (orphan, held):
        folder.mkdir()
        (folder / "notes").write_text("mine")
    lock = run_folder.hold(held / run_folder.LOCK)
    assert lock is not None
    check = found(studio, "runs")
    assert check.state == "warn" and str(orphan) in check.detail and str(held) not in check.detail
    [done] = repair([check])
    assert "1 folders" in done and held.exists() and not orphan.exists()
    [moved] = (studio.settings.home / "trash").iterdir()
    assert (moved / "notes").read_text() == "mine"
    os.close(lock)


def test_what_was_never_finished_is_removed_once_it_is_old(studio: Studio) -> None:
    old, fresh = studio.settings.uploads / "a.partial", studio.settings.uploads / "b.partial"
    run = studio.settings.runs / str(queue.submit(studio, kind="train", name="x", spec={}).id)
    run.mkdir()
    torn = run / ".spec.json.1.partial"
    for path in (old, fresh, torn):
        path.write_text("half")
    for path in (old, torn):
        os.utime(path, (time.time() - 7200, time.time() - 7200))
    check = found(studio, "half-made")
    assert check.state == "warn"
    repair([check])
    assert not old.exists() and not torn.exists() and fresh.exists()
    assert found(studio, "half-made").state == "good"


def test_a_large_log_is_shortened(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_LARGE_LOG", 1000)
    queue.submit(studio, kind="train", name="x", spec={})
    check = found(studio, "log")
    assert check.state == "warn"
    repair([check])
    assert found(studio, "log").state == "good"


def test_a_studio_in_use_without_a_copy_is_told_and_gets_one(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.submit(studio, kind="train", name="x", spec={})
    later = clock.now() + timedelta(days=40)
    monkeypatch.setattr(clock, "now", lambda: later)
    check = found(studio, "backup")
    assert check.state == "warn"
    repair([check])
    assert backup.newest(studio.settings) is not None
    assert found(studio, "backup").state == "good"


def test_waiting_jobs_without_an_engine_are_told(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    queue.submit(studio, kind="train", name="x", spec={})
    started: list[Studio] = []
    monkeypatch.setattr(doctor, "ensure_engine", started.append)
    check = found(studio, "engine")
    assert check.state == "warn" and "1 job is queued" in check.detail
    assert "started" in repair([check])[0] and started == [studio]


@pytest.fixture
def left_behind(studio: Studio) -> Iterator[subprocess.Popen[bytes]]:
    """A process with the marks of a run's tree."""
    environment = {**os.environ, "TUNESMITH_TREE": "abc", "TUNESMITH_STUDIO": str(studio.settings.home)}
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env=environment)
    yield process
    process.kill()
    process.wait()


def supervised(studio: Studio, tree: str) -> Path:
    folder = studio.settings.runs / str(queue.submit(studio, kind="train", name="x", spec={}).id)
    folder.mkdir()
    atomic.write_json(folder / run_folder.SUPERVISOR, {"pid": 1, "tree": tree})
    return folder


def test_processes_of_a_run_that_is_over_are_ended(
    studio: Studio, left_behind: subprocess.Popen[bytes]
) -> None:
    supervised(studio, "abc")
    check = wait_until(lambda: next((c for c in [found(studio, "processes")] if c.repair), None))
    assert str(left_behind.pid) in check.detail
    assert str(left_behind.pid) in repair([check])[0]
    assert not psutil.pid_exists(left_behind.pid)


def test_processes_of_a_live_run_or_of_others_are_left_alone(
    studio: Studio, left_behind: subprocess.Popen[bytes]
) -> None:
    assert found(studio, "processes").state == "good"  # No run of this studio has that mark.
    lock = run_folder.hold(supervised(studio, "abc") / run_folder.LOCK)
    assert lock is not None
    assert found(studio, "processes").state == "good"
    os.close(lock)


def test_files_of_no_dataset_are_put_aside_and_lost_ones_are_told(studio: Studio, tmp_path: Path) -> None:
    rows = tmp_path / "mine.jsonl"
    rows.write_text('{"text": "a"}\n{"text": "b"}\n')
    dataset = store.import_file(studio, rows).dataset
    file = store.parquet_path(studio, dataset)
    extra, fresh = file.with_name("0" * 64 + ".parquet"), file.with_name("1" * 64 + ".parquet")
    for path in (extra, fresh):
        path.write_bytes(file.read_bytes())
    for path in (extra, file):
        os.utime(path, (time.time() - 7200, time.time() - 7200))
    check = found(studio, "datasets")
    assert check.state == "warn" and str(extra) in check.detail and str(fresh) not in check.detail
    repair([check])
    moved = studio.settings.home / "trash" / extra.name
    assert file.exists() and fresh.exists() and not extra.exists()
    assert store.import_file(studio, moved, name="again").dataset.rows == 2
    assert found(studio, "datasets").state == "good"
    file.unlink()
    check = found(studio, "datasets")
    assert check.state == "bad" and "mine@1" in check.detail and check.repair is None


def test_weak_ways_of_letting_people_in_are_named(studio: Studio) -> None:
    def looked(**settings: object) -> dict[str, str]:
        there = Studio(studio.settings.model_copy(update=settings), studio.db)
        return {c.detail: c.state for c in examine(there) if c.name == "access"}

    assert list(looked().values()) == ["good"]
    [(said, state)] = looked(host="0.0.0.0").items()
    assert state == "bad" and "users add NAME --role administrator" in said
    accounts.add(studio, "ann", "administrator", "correct horse battery")
    accounts.add(studio, "tom", "trainer", "made for somebody", one_time=True)
    assert looked() == {"One-time passwords not changed yet: tom": "warn"}
    accounts.set_disabled(studio, "tom", True)
    assert looked() == {"Active accounts: 1, administrators: 1": "good"}
    [(said, state)] = looked(host="0.0.0.0").items()
    assert state == "warn" and "without encryption" in said
    assert list(looked(host="0.0.0.0", trusted_proxy="10.0.0.1").values()) == ["good"]
    [(said, state)] = looked(session_hours=9000.0).items()
    assert state == "warn" and "9000 hours" in said


def test_a_key_that_others_can_read_is_closed(studio: Studio) -> None:
    key = sign_in.key_file(studio.settings.home)
    sign_in.secret_key(studio.settings.home)
    key.chmod(0o644)
    check = found(studio, "access")
    assert check.state == "bad" and "chmod 600" in check.detail
    repair([check])
    assert key.stat().st_mode & 0o777 == 0o600 and found(studio, "access").state == "good"


def test_what_the_sandbox_lacks_is_told(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.programs, "lacking", lambda: {"namespaces": "not permitted"})
    check = found(studio, "sandbox")
    assert check.state == "warn" and "not permitted" in check.detail and "refused" in check.detail
    monkeypatch.setenv("TUNESMITH_WEAKER_SANDBOX", "1")
    assert "less protection" in found(studio, "sandbox").detail
