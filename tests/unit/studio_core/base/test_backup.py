from __future__ import annotations

import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from studio_core.base import backup
from studio_core.base.db import connect
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.studio import Studio, open_studio
from studio_core.runs import queue


def jobs_in(file: Path) -> int:
    copy = connect(file)
    with copy.read() as session:
        count = session.execute(text("SELECT count(*) FROM job")).scalar()
        assert session.execute(text("PRAGMA integrity_check")).scalar() == "ok"
    copy.close()
    return int(count or 0)


def test_a_copy_is_whole_while_others_write(studio: Studio, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            queue.submit(studio, kind="train", name="x", spec={"much": "x" * 2000})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            before = len(queue.waiting(studio))
            made = backup.copy(studio.db, tmp_path / f"copy-{number}.db")
            assert before <= jobs_in(made) <= len(queue.waiting(studio))
    finally:
        stop.set()
        writer.join()
    assert made.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.glob(".*")) == []


def test_a_copy_put_in_the_place_of_the_database_is_the_studio(studio: Studio, tmp_path: Path) -> None:
    queue.submit(studio, kind="train", name="kept", spec={})
    made = backup.copy(studio.db, backup.standard_target(studio.settings))
    assert backup.newest(studio.settings) == made
    other = tmp_path / "restored"
    other.mkdir()
    (other / "studio.db").write_bytes(made.read_bytes())
    restored = open_studio(home=other)
    assert [job.name for job in queue.waiting(restored)] == ["kept"]
    restored.close()


def test_what_is_there_is_not_overwritten(studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "mine.db").write_text("mine")
    with pytest.raises(BadInput, match="already"):
        backup.copy(studio.db, tmp_path / "mine.db")
    assert (tmp_path / "mine.db").read_text() == "mine"


def test_a_place_that_cannot_be_written(studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="Cannot write"):
        backup.copy(studio.db, tmp_path / "file" / "copy.db")


def test_without_space_nothing_is_left(studio: Studio, tmp_path: Path) -> None:
    home, target = studio.settings.home, tmp_path / "copies" / "copy.db"
    code = (
        "import sys; from pathlib import Path; from studio_core.base import backup; "
        "from studio_core.base.studio import open_studio; "
        "backup.copy(open_studio(home=sys.argv[1]).db, Path(sys.argv[2]))"
    )

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    failed = subprocess.run(
        [sys.executable, "-c", code, str(home), str(target)],
        preexec_fn=limited,
        capture_output=True,
        text=True,
    )
    assert "Cannot back up the database" in failed.stderr and StudioError.__name__ in failed.stderr
    assert list(target.parent.iterdir()) == []
