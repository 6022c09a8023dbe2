"""The archive that is never written is one that every program reads, in whole and from any byte."""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from pathlib import Path

import pytest

from studio_core.exports.archive import Archive, archive
from studio_core.exports.manifest import ExportedFile

CONTENTS = {"模型.gguf": bytes(range(256)) * 5000, "Modelfile": b"FROM ./x\n", "empty": b""}


@pytest.fixture
def packed(tmp_path: Path) -> Archive:
    files = {}
    for name, content in CONTENTS.items():
        (tmp_path / name).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        files[name] = ExportedFile(size=len(content), sha256=digest, crc32=zlib.crc32(content))
    return archive(tmp_path, "tiny", files)


def test_it_is_a_zip_archive(packed: Archive) -> None:
    whole = b"".join(packed.read(0, packed.size))
    assert len(whole) == packed.size
    with zipfile.ZipFile(io.BytesIO(whole)) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(f"tiny/{name}") for name in CONTENTS} == CONTENTS


def test_any_part_is_that_of_the_whole(packed: Archive) -> None:
    whole = b"".join(packed.read(0, packed.size))
    for start, end in [(0, 10), (5, 70), (60, packed.size - 3), (packed.size - 30, packed.size), (9, 9)]:
        assert b"".join(packed.read(start, end)) == whole[start:end]
