"""Damaged files at random, through all readers: rows, reasons or a refusal come of them, and nothing else.

    python -m tests.faults.fuzz_readers [--seconds 60] [--seed N] [--case M]

Files of all kinds are mutated. A failure names its seed and its case, by which it can be repeated
alone, and the file is kept.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import random
import resource
import sys
import tempfile
import time
import traceback
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from studio_core import texts
from studio_core.base.errors import BadInput
from studio_core.data import archives
from studio_core.data.guesses import for_shape
from studio_core.data.inspection import Inspection, Reading
from studio_core.data.mapping import PARTS, Mapping
from studio_core.data.parquet import Writer
from studio_core.data.shapes import Shape
from tests.unit.studio_core.data.test_several_files import MEMBERS, tarred, zipped
from tests.unit.studio_core.data.wild import WILD

SLOWEST = 20.0
"""Seconds that one small file may take, on a busy machine."""
MEMORY = 3 << 30
"""Bytes of address space."""

TOKENS = [
    b'"', b"'", b"\\", b"{", b"}", b"[", b"]", b",", b":", b";", b"\t", b"\n", b"\r", b"\r\n", b"\0", b"\x1a", b"\xff",
    b"\xfe\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"NaN", b"-Infinity", b"1e999",
    b"9" * 400, b"null", b"true", b"[[[[", b'{"a":' * 40, b"{{name}}", b"=1+1", b"sep=;\n", b"PAR1", b"PK\x03\x04",
    b"\x1f\x8b", b'"role"', b'"content": null', b'"from"', b'"messages"', b'"fields"', b'"responses"', b'"data"',
    b'"annotations"', b"\xc4\xe3\xba\xc3", "déjà".encode("latin-1"), "𝒳\u2028\u202e".encode(), b"<script>", b"../",
]  # fmt: skip
ENCODINGS = [
    "utf-16",
    "utf-16-le",
    "utf-32",
    "gb18030",
    "latin-1",
    "windows-1251",
    "shift_jis",
    "big5",
    "utf-7",
]
ENDINGS = ["jsonl", "json", "csv", "tsv", "txt", "md", "parquet", "jsonl.gz", "zip", "tar.gz", "bin"]

Corpus = list[tuple[str, bytes]]


def corpus(folder: Path) -> Corpus:
    """One small file of each kind."""
    files = [(name, content.encode()) for name, content, _, _ in WILD.values()]
    rows = [
        {"prompt": "q", "completion": "a", "n": 1.5, "b": b"x", "l": [{"role": "user", "content": "x"}]}
    ] * 9
    table = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), table)
    files += [("a.parquet", table.getvalue()), ("a.jsonl.gz", gzip.compress(files[2][1]))]
    files += [("a.zip", zipped(folder / "a.zip", MEMBERS).read_bytes())]
    files += [("a.tar.gz", tarred(folder / "a.tar.gz", MEMBERS).read_bytes())]
    files += [("a.tar", tarred(folder / "a.tar", MEMBERS, mode="w").read_bytes())]
    return files


def mutated(chance: random.Random, files: Corpus) -> tuple[str, bytes]:
    """A file that came to harm."""
    name, content = chance.choice(files)
    for _ in range(chance.choice([0, 1, 1, 2, 3, 6, 20])):
        content = chance.choice(MUTATIONS)(chance, content, files)[: 1 << 20]
    if chance.random() < 0.15:
        content = content.decode("utf-8", "replace").encode(chance.choice(ENCODINGS), "replace")
    if chance.random() < 0.1:
        content = gzip.compress(content)
    elif chance.random() < 0.1:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(
                chance.choice(["a.jsonl", "a.csv", "../a.json", "b/c.txt", "a.parquet"]), content
            )
        content = packed.getvalue()
    if chance.random() < 0.2:
        name = f"a.{chance.choice(ENDINGS)}"
    return name, content


def _flip(chance: random.Random, content: bytes, files: Corpus) -> bytes:
    changed = bytearray(content or b"x")
    for _ in range(chance.randint(1, 8)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _insert(chance: random.Random, content: bytes, files: Corpus) -> bytes:
    place = chance.randint(0, len(content))
    return content[:place] + chance.choice(TOKENS) * chance.choice([1, 1, 1, 2, 500]) + content[place:]


def _replace(chance: random.Random, content: bytes, files: Corpus) -> bytes:
    return content.replace(chance.choice(TOKENS), chance.choice(TOKENS), chance.choice([1, 3, -1]))


def _delete(chance: random.Random, content: bytes, files: Corpus) -> bytes:
    start, end = sorted(chance.randint(0, len(content)) for _ in range(2))
    return content[:start] + content[min(end, start + chance.choice([1, 10, 10_000])) :]


def _repeat(chance: random.Random, content: bytes, files: Corpus) -> bytes:
    start, end = sorted(chance.randint(0, len(content)) for _ in range(2))
    return content[:end] + content[start:end] * chance.choice([1, 2, 50]) + content[end:]


def _cut(chance: random.Random, content: bytes, files: Corpus) -> bytes:
    return content[: chance.randint(0, len(content))]


def _join(chance: random.Random, content: bytes, files: Corpus) -> bytes:
    other = chance.choice(files)[1]
    return content[: chance.randint(0, len(content))] + other[chance.randint(0, len(other)) :]


MUTATIONS: list[Callable[[random.Random, bytes, Corpus], bytes]] = [
    _flip, _insert, _insert, _replace, _replace, _delete, _repeat, _cut, _join,
]  # fmt: skip


def check(name: str, content: bytes, folder: Path) -> str:
    """Read the file as the studio does; what came of it: a shape, or the key of the refusal."""
    path = folder / "file"
    path.write_bytes(content)
    try:
        seen = _read(path, name, folder, None)
        # As if a user had chosen: one shape of all, and a template over the file's own columns.
        shape = list(Shape)[zlib.crc32(content) % len(Shape)]
        chosen = for_shape(shape, seen.columns, seen.sample_rows)
        if seen.columns and "{" not in seen.columns[0] and "}" not in seen.columns[0]:
            part = PARTS[shape][0][0]
            chosen.templates[part] = f"{{{{{seen.columns[0]}}}}} {{{{name}}}}"
            chosen.fill["name"] = "Ada"
        chosen.split = ("paragraph", "line", "file", None)[len(content) % 4]
        _read(path, name, folder, chosen)
        return str(seen.shape)
    except BadInput as refused:
        for language in texts.LANGUAGES:
            refused.sentence(language).encode()
        return refused.key


def _read(path: Path, name: str, folder: Path, mapping: Mapping | None) -> Inspection:
    with archives.open_bundle([path], [name], scratch=folder, limit=64 << 20) as bundle:
        seen = Reading(bundle, name, mapping, limit=64 << 20).looked_through()
    said = [seen.columns, seen.reasons, seen.sample_rows, seen.passed_over, seen.notes.kinds]
    said += [[file.source for file in seen.files], seen.mapping.model_dump(mode="json")]
    json.dumps(said, ensure_ascii=False, allow_nan=False).encode()
    for language in texts.LANGUAGES:
        for reason in seen.reasons:
            texts.text(f"data.row_{reason['code']}", language, **reason["values"])
        for code, values in seen.notes.kinds.items():
            texts.text(f"data.note_{code}", language, **values)
    with open(folder / "stored", "w+b") as file:
        writer = Writer(file, seen.shape, seen.mapping.keep)
        for record in seen.sample_records:
            writer.add(record)
        writer.close()
    return seen


def run(seed: int, seconds: float, only: int | None) -> int:
    """1 if a file made the readers fail, else 0."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.RLIM_INFINITY))
    outcomes: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        files = corpus(folder)
        end = time.monotonic() + seconds
        case = only or 0
        while time.monotonic() < end:
            name, content = mutated(random.Random(f"{seed}:{case}"), files)
            begun = time.process_time()
            try:
                outcome = check(name, content, folder)
                took = time.process_time() - begun
                assert took < SLOWEST, f"it took {took:.0f} s"
            except Exception:
                kept = Path(tempfile.gettempdir()) / f"fuzz-{seed}-{case}-{name}"
                kept.write_bytes(content)
                traceback.print_exc()
                print(f"FAILED: --seed {seed} --case {case}, {name}, {len(content)} bytes, kept as {kept}")
                print(repr(content[:2000]))
                return 1
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
            case += 1
            if only is not None:
                break
    print(f"seed {seed}: {case} files, {', '.join(f'{n} {k}' for k, n in sorted(outcomes.items()))}")
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--case", type=int, default=None)
    chosen = parser.parse_args()
    sys.exit(run(chosen.seed, chosen.seconds, chosen.case))


if __name__ == "__main__":
    main()
