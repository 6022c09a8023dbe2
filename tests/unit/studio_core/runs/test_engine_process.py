from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio_core.base.errors import StudioError
from studio_core.base.studio import Studio, open_studio
from studio_core.runs import engine_process
from studio_core.runs.engine_process import engine_alive, ensure_engine
from tests.conftest import wait_until


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[Studio]:
    """A studio whose engine keeps no warm worker; the engine is ended afterwards."""
    studio = open_studio(home=tmp_path / "home", warm_workers=0)
    yield studio
    if engine_alive(studio):
        os.kill(engine_pid(studio), signal.SIGTERM)
    wait_until(lambda: not engine_alive(studio))
    for process in engine_process._started:
        process.wait(20)
    engine_process._started.clear()
    studio.close()


def engine_pid(studio: Studio) -> int:
    path = studio.settings.home / engine_process.LOCK
    return int(json.loads(wait_until(lambda: path.read_text()))["pid"])


def test_the_engine_is_started_once_however_many_ask(quiet: Studio) -> None:
    assert not engine_alive(quiet)
    callers = [threading.Thread(target=ensure_engine, args=(quiet,)) for _ in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert engine_alive(quiet)
    pid = engine_pid(quiet)
    ensure_engine(quiet)
    assert engine_pid(quiet) == pid
    codes = wait_until(
        lambda: len(ended := [p.wait(20) for p in engine_process._started if p.pid != pid]) == 2 and ended
    )
    assert codes == [3, 3]


def test_a_killed_engine_is_started_again(quiet: Studio) -> None:
    ensure_engine(quiet)
    pid = engine_pid(quiet)
    stopped = threading.Event()
    keeper = threading.Thread(target=engine_process.keep_engine, args=(quiet, stopped, 0.05))
    keeper.start()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: engine_alive(quiet) and engine_pid(quiet) != pid, 20, "another engine is there")
    stopped.set()
    keeper.join()


def test_an_engine_that_an_older_studio_left_behind_is_replaced(quiet: Studio) -> None:
    ensure_engine(quiet)
    path, old = quiet.settings.home / engine_process.LOCK, engine_pid(quiet)
    holder = json.loads(path.read_text())
    for code in ([holder["code"][0] + 1, 0], holder["code"]):  # A newer one is left alone, and one's own.
        path.write_text(json.dumps({**holder, "code": code}))
        ensure_engine(quiet)
        assert engine_pid(quiet) == old
    path.write_text(json.dumps({**holder, "host": "elsewhere", "code": []}))
    ensure_engine(quiet)
    assert engine_pid(quiet) == old
    del holder["code"]  # As all wrote it before they told their version.
    path.write_text(json.dumps(holder))
    ensure_engine(quiet)
    # The lock is held an instant before the file names its holder.
    wait_until(lambda: engine_pid(quiet) != old, 20, "the file names the new engine")
    assert engine_alive(quiet)


def test_an_engine_that_has_not_yet_written_who_it_is_is_left_alone(quiet: Studio) -> None:
    ensure_engine(quiet)
    path, pid = quiet.settings.home / engine_process.LOCK, engine_pid(quiet)
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    path.write_text(json.dumps({"pid": int(gone.stdout), "host": socket.gethostname()}))
    ensure_engine(quiet)
    path.write_text(json.dumps({"pid": pid}))
    assert engine_alive(quiet)


def test_one_that_does_not_come_up_is_told(quiet: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_process, "_PATIENCE", 0.5)
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    with pytest.raises(StudioError, match=r"did not start.*engine-start\.log"):
        ensure_engine(quiet)
