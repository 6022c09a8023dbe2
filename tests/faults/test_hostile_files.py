"""Files made to do harm: they are refused or harmless, and the memory stays bounded."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio_core.base.studio import Studio
from studio_core.data import store
from studio_core.data.archives import MAX_RATIO

MB = 1 << 20
LIMIT = 300
"""Megabytes that reading any of these may take; the interpreter with pyarrow takes 110 of them."""

READ = """
import re, sys
from pathlib import Path
from studio_core.data import archives
from studio_core.data.inspection import Reading
from studio_core.base.errors import BadInput

path = Path(sys.argv[1])
try:
    with archives.open_bundle([path], [path.name], scratch=path.parent, limit=96 << 20) as bundle:
        seen = Reading(bundle, path.name, None, limit=96 << 20).looked_through()
        said = f"{seen.shape} {seen.good} {seen.bad} {seen.reasons[0]['code'] if seen.reasons else '-'}"
except BadInput as refused:
    said = refused.key
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(int(peak) >> 10, said)
"""


def zip_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("a.jsonl", "w", force_zip64=True) as member:
            for _ in range(100):
                member.write(b" " * MB)


def tar_bomb(path: Path) -> None:
    with gzip.open(path, "wb", 9) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        info = tarfile.TarInfo("a.jsonl")
        info.size = 100 * MB
        archive.addfile(info, io.BufferedReader(_Endless(info.size)))  # type: ignore[type-var]


class _Endless(io.RawIOBase):
    def __init__(self, size: int) -> None:
        self.left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:
        count = min(len(buffer), self.left)
        buffer[:count] = b" " * count
        self.left -= count
        return count


def sparse_tar(path: Path) -> None:
    hole = path.with_name("hole.jsonl")
    with open(hole, "wb") as file:
        file.truncate(1 << 40)
    subprocess.run(["tar", "--sparse", "-cf", str(path), "-C", str(path.parent), hole.name], check=True)
    hole.unlink()


def gzip_bomb(path: Path) -> None:
    with gzip.open(path, "wb", 1) as packed:
        for _ in range(100):
            packed.write(b'{"text": "aaaaa"}\n' * (MB // 18))


def written(start: bytes, block: bytes, times: int, end: bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with open(path, "wb") as file:
            file.write(start)
            for _ in range(times):
                file.write(block)
            file.write(end)

    return make


def wide_parquet(path: Path) -> None:
    pq.write_table(pa.table({f"c{n}": pa.array(["x"]) for n in range(5000)}), path)


LETTERS = b"x" * MB
HOSTILE: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "zip bomb": ("a.zip", zip_bomb, "data.archive_bomb"),
    "tar.gz bomb": ("a.tar.gz", tar_bomb, "data.archive_bomb"),
    "sparse tar": ("a.tar", sparse_tar, "data.archive_without_data"),
    "gzip bomb": ("a.jsonl.gz", gzip_bomb, "data.unpacks_too_big"),
    "100 MB in a line of JSONL": (
        "a.jsonl", written(b'{"text": "a"}\n{"text": "', LETTERS, 100, b'"}\n'), "data.line_too_long",
    ),
    "100 MB in a string of JSON": (
        "a.json", written(b'[{"text": "a"}, {"text": "', LETTERS, 100, b'"}]'), "data.record_too_long",
    ),
    "20 MB of records in a line of JSON": (
        "a.json", written(b'[{"text": "a"}', (b',{"text": "' + b"b" * 1000 + b'"}') * 1000, 20, b"]"), "text 20001 0 -",
    ),
    "100 MB in a cell": ("a.csv", written(b'a,b\n1,"', LETTERS, 100, b'"\n'), "data.line_too_long"),
    "100 MB in a cell of many lines": (
        "a.csv", written(b'text\n"', b"x" * 1023 + b"\n", 100 * 1024, b'"\n'), "data.record_too_long",
    ),
    "100 MB in a line of text": ("a.txt", written(b"", LETTERS, 100, b""), "data.line_too_long"),
    "100 MB without a blank line": (
        "a.txt", written(b"One\n\n" * 3000, b"x" * 99 + b"\n", MB, b"\n\nTwo"), "text 3001 1 too_long",
    ),
    "100 MB of empty lists": (
        "a.jsonl", written(b'{"a":[', b"[],[]," * 170_000, 100, b"[]]}"), "data.line_too_long",
    ),
    "100,000 columns in a table": (
        "a.csv", lambda path: path.write_text(",".join(f"c{n}" for n in range(100_000)) + "\n"),
        "data.too_many_columns",
    ),
    "100,000 fields in an object": (
        "a.jsonl", lambda path: path.write_text(json.dumps({f"c{n}": n for n in range(100_000)})),
        "data.no_good_rows",
    ),
    "5,000 columns in Parquet": ("a.parquet", wide_parquet, "data.too_many_columns"),
    "other fields in every object": (
        "a.jsonl",
        lambda path: path.write_text(
            "".join(json.dumps({f"{n}-{m}": 1 for m in range(1900)}) + "\n" for n in range(200))
        ),
        "prompt-completion 0 0 -",
    ),
    "nested JSON": ("a.json", written(b"", b"[" * MB, 10, b""), "data.json_broken"),
    "nested JSON lines": ("a.jsonl", written(b'{"text": "a"}\n', b'{"a":' * 99_999, 1, b"\n"), "text 1 1 json"),
    "nested objects around nothing": ("a.json", written(b"", b'{"data":' * 99_999, 1, b""), "data.json_broken"),
    "a quote that stays open": ("a.csv", written(b'a,b\n"', b"1,2\n" * 250_000, 100, b""), "data.record_too_long"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_in_bounded_memory(tmp_path: Path, name: str) -> None:
    file, make, expected = HOSTILE[name]
    path = tmp_path / file
    make(path)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    printed = subprocess.run(
        [sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True, env=environment
    ).stdout
    peak, _, said = printed.strip().partition(" ")
    assert said == expected
    assert int(peak) < LIMIT
    assert [item.name for item in tmp_path.iterdir()] == [file], "something was left unpacked"


def test_the_bombs_are_bombs(tmp_path: Path) -> None:
    zip_bomb(tmp_path / "a.zip")
    assert (tmp_path / "a.zip").stat().st_size * MAX_RATIO < 100 * MB


SCRIPTS = [
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "+1-1",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "{{ 7*7 }} {% include '/etc/passwd' %} ${7*7}",
    "javascript:alert(1)",
    "\u202etxt.exe",
    "Robert'); DROP TABLE dataset;--",
]


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_formulas_scripts_and_templates_stay_the_text_that_they_are(
    studio: Studio, tmp_path: Path, format: str
) -> None:
    path = tmp_path / f"a.{format}"
    if format == "csv":
        with open(path, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["prompt", "completion"], *([text, text] for text in SCRIPTS)])
    else:
        path.write_text("".join(json.dumps({"prompt": text, "completion": text}) + "\n" for text in SCRIPTS))
    dataset = store.import_file(studio, path).dataset
    stored = [
        (r["prompt"][0]["content"], r["completion"][0]["content"]) for r in store.records(studio, dataset)
    ]
    assert stored == [(text, text) for text in SCRIPTS]
