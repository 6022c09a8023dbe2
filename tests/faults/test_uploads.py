"""Fault 19: an upload breaks off, or the studio is killed while it stores one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio_core.data import store
from studio_core.errors import BadInput
from studio_core.studio import Studio, open_studio
from tests.browser.conftest import free_port, start_web, stop_engine
from tests.conftest import wait_until

PLACES = ["before os.replace", "after os.replace", "before commit", "after commit"]
KILLED = """
import os, sys
from pathlib import Path
from studio_core.data import store
from studio_core.studio import open_studio

when, _, what = sys.argv[3].partition(" ")
owner, name = (os, "replace") if what == "os.replace" else (store, "_row")
original = getattr(owner, name)

def killed(*arguments):
    if when == "after":
        original(*arguments)
    os.kill(os.getpid(), 9)

studio = open_studio(home=Path(sys.argv[1]))
setattr(owner, name, killed)
store.import_file(studio, Path(sys.argv[2]), name="mine")
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    rows = ({"prompt": f"What is {n}?", "response": f"A number, {n}."} for n in range(2000))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def old(path: Path) -> None:
    os.utime(path, (time.time() - 90_000, time.time() - 90_000))


@pytest.mark.parametrize("place", PLACES)
def test_19_killed_at_the_rename_there_is_a_whole_dataset_or_none(
    studio: Studio, file: Path, place: str
) -> None:
    command = [sys.executable, "-c", KILLED, str(studio.settings.home), str(file), place]
    assert subprocess.run(command, check=False, timeout=60).returncode == -9
    rows = store.all_datasets(studio)
    assert len(rows) == (1 if place == "after commit" else 0)
    assert all(len(store.records(studio, row, limit=5000)) == 2000 for row in rows)
    again = store.import_file(studio, file, name="mine")
    assert again.new is (place != "after commit")
    [dataset] = store.all_datasets(studio)
    [stored] = studio.settings.datasets.iterdir()
    assert stored.stem == dataset.sha256  # The same bytes are one file, also after a kill.
    for left in studio.settings.uploads.iterdir():
        old(left)
    store.sweep_uploads(studio)
    assert list(studio.settings.uploads.iterdir()) == []


def test_19_the_same_bytes_again_are_one_version_and_one_file(studio: Studio, file: Path) -> None:
    first, second = (store.import_file(studio, file, name="mine") for _ in range(2))
    other = store.import_file(studio, file, name="other")
    assert (first.new, second.new, other.new) == (True, False, True)
    assert first.dataset.id == second.dataset.id
    assert len(list(studio.settings.datasets.iterdir())) == 1


def test_19_half_of_a_file_is_no_dataset(studio: Studio, tmp_path: Path, file: Path) -> None:
    made = store.import_file(studio, file, name="whole").dataset
    for kind in ("json", "parquet"):
        whole = store.export(studio, made, tmp_path / f"whole.{kind}", kind)
        half = tmp_path / f"half.{kind}"
        half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        with pytest.raises(BadInput, match="half"):
            store.import_file(studio, half)
    assert len(store.all_datasets(studio)) == 1
    assert len(list(studio.settings.datasets.iterdir())) == 1
    assert list(studio.settings.uploads.iterdir()) == []


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    home, port = tmp_path / "home", free_port()
    (home / "uploads").mkdir(parents=True)
    stale = home / "uploads" / "left-over"
    stale.write_text("half of something")
    old(stale)
    process = start_web(home, port, TUNESMITH_WARM_WORKERS="0")
    yield port, home
    process.terminate()
    process.wait(20)
    stop_engine(home)


def test_19_an_upload_that_breaks_off_in_the_middle_leaves_nothing_that_counts(
    web: tuple[int, Path], file: Path
) -> None:
    port, home = web
    uploads = home / "uploads"
    wait_until(lambda: not (uploads / "left-over").exists(), what="leftovers are swept at the start")
    part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="mine.jsonl"\r\n\r\n'
    body = part + file.read_bytes() + b"\r\n--x--\r\n"
    head = b"POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\n"
    head += b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: %d\r\n\r\n" % len(body)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head + body[: len(body) // 2])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert b" 200 " in connection.recv(100)
    assert not list(uploads.rglob("mine.jsonl"))
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head + body)
        answer = connection.recv(1 << 16)
    assert b" 200 " in answer.partition(b"\r\n")[0]
    [arrived] = uploads.rglob("mine.jsonl")
    assert arrived.read_bytes() == file.read_bytes()
    studio = open_studio(home=home)
    assert "mine" not in {dataset.name for dataset in store.all_datasets(studio)}
    imported = store.import_file(studio, arrived)
    assert imported.new and imported.dataset.rows == 2000
    studio.close()
