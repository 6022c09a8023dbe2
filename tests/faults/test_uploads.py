"""Fault 19: an upload breaks off, or the studio is killed while it stores one."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio, open_studio
from studio_core.curation import adding
from studio_core.data import outgoing, store
from tests.browser.conftest import free_port, start_web, stop_engine
from tests.conftest import wait_until

PLACES = ["before os.replace", "after os.replace", "before commit", "after commit"]
KILLED = """
import os, sys
from pathlib import Path
from studio_core.data import store, versions
from studio_core.base.studio import open_studio

when, _, what = sys.argv[3].partition(" ")
owner, name = (os, "replace") if what == "os.replace" else (versions, "_row")
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
    assert subprocess.run(command, check=False, timeout=240).returncode == -9
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
        whole = tmp_path / f"whole.{kind}"
        outgoing.export(studio, made, whole, kind)
        half = tmp_path / f"half.{kind}"
        half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        with pytest.raises(BadInput, match="half"):
            store.import_file(studio, half)
    assert len(store.all_datasets(studio)) == 1
    assert len(list(studio.settings.datasets.iterdir())) == 1
    assert list(studio.settings.uploads.iterdir()) == []


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[int, Path, list[subprocess.Popen[bytes]]]]:
    home, port = tmp_path / "home", free_port()
    (home / "uploads").mkdir(parents=True)
    stale = home / "uploads" / "left-over"
    stale.write_text("half of something")
    old(stale)
    processes = [start_web(home, port)]
    yield port, home, processes
    for process in processes:
        process.terminate()
        process.wait(240)
    stop_engine(home)


def asked(port: int, method: str, path: str, body: bytes = b"") -> dict[str, Any]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/uploads{path}", body, method=method)
    with urllib.request.urlopen(request, timeout=240) as answer:
        return dict(json.load(answer))


def test_19_an_upload_goes_on_after_a_broken_chunk_and_a_killed_studio(
    web: tuple[int, Path, list[subprocess.Popen[bytes]]], file: Path
) -> None:
    port, home, processes = web
    wait_until(lambda: not (home / "uploads" / "left-over").exists(), what="leftovers are swept at the start")
    content = file.read_bytes()
    half, part = len(content) // 2, len(content) // 4
    id = asked(port, "POST", "", json.dumps({"name": "mine.jsonl", "size": len(content)}).encode())["id"]
    assert asked(port, "PUT", f"/{id}?offset=0", content[:half])["received"] == half
    head = f"PUT /api/uploads/{id}?offset={half} HTTP/1.1\r\nHost: localhost\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=240) as connection:
        connection.sendall(f"{head}Content-Length: {half}\r\n\r\n".encode() + content[half : half + part])
    assert asked(port, "GET", f"/{id}")["received"] == half, "of a broken chunk nothing is kept"
    processes[-1].kill()
    processes[-1].wait(240)
    processes.append(start_web(home, port))
    assert asked(port, "GET", f"/{id}")["received"] == half
    asked(port, "PUT", f"/{id}?offset={half}", content[half:])
    digest = hashlib.sha256(content).hexdigest()
    body = json.dumps({"sha256": digest}).encode()
    assert asked(port, "POST", f"/{id}/finish", body)["sha256"] == digest
    studio = open_studio(home=home)
    assert "mine" not in {dataset.name for dataset in store.all_datasets(studio)}
    made = adding.bring_in(studio, adding.Brought(uploads=[id]))
    assert isinstance(made, store.Imported) and made.new and made.dataset.rows == 2000
    assert made.dataset.name == "mine" and not (home / "uploads" / id).exists()
    studio.close()
