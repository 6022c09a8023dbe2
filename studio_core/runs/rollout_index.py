"""Where each rollout of a file lies, and by what it is chosen: 32 bytes each, so that 100,000 are sorted at once.

The index is written after the line that it names. What it lacks, since a worker was killed in between or an earlier
version wrote none, is read out of the lines.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

Entries = npt.NDArray[np.void]
"""One row for each line, in order."""

ENTRY = np.dtype(
    [
        ("offset", "<u8"),
        ("length", "<u4"),
        ("step", "<u4"),
        ("prompt", "<u4"),
        ("line", "<u4"),
        ("reward", "<f8"),
    ]
)
"""``length`` with the end of the line. ``prompt`` is a CRC: it tells prompts of one step apart, of which there are some
hundred. ``line`` is that of the whole line: whether it is the one that was meant, whatever happened to the files.
``reward`` is NaN where there is none.
"""

_BLOCK = 1 << 18
"""Bytes of lines that are searched at once: small enough to stay in the processor's cache meanwhile."""


def path_of(file: Path) -> Path:
    """The index of a file of rollouts."""
    return file.with_suffix(".index")


def entry(line: bytes, offset: int) -> tuple[int, int, int, int, int, float]:
    """The entry of a whole line that begins there."""
    rollout = json.loads(line)
    reward = math.nan if rollout["reward"] is None else rollout["reward"]
    prompt = zlib.crc32(rollout["prompt"].encode())
    return offset, len(line), rollout["step"], prompt, zlib.crc32(line), reward


def packed(entries: list[tuple[int, int, int, int, int, float]]) -> Entries:
    return np.array(entries, ENTRY)


def entries(file: IO[bytes], index: Path) -> Entries:
    """The entries of all whole lines of a file, whether they have been written or not."""
    known = np.frombuffer(index.read_bytes() if index.is_file() else b"", "u1")
    written = known[: len(known) // ENTRY.itemsize * ENTRY.itemsize].view(ENTRY)
    end = int(written["offset"][-1] + written["length"][-1]) if len(written) else 0
    if end > file.seek(0, 2):  # The index of another file, whose place this one took a moment ago.
        written, end = written[:0], 0
    return np.concatenate([written, packed([*_read(file, end)])])


def _read(file: IO[bytes], offset: int) -> Iterator[tuple[int, int, int, int, int, float]]:
    file.seek(offset)
    for line in file:
        # The last one may be on its way; what a full disk tore is no rollout, nor what follows in its line.
        if line.endswith(b"\n"):
            with suppress(ValueError):
                yield entry(line, offset)
        offset += len(line)


def line_of(file: IO[bytes], place: Any) -> bytes | None:
    """The line that an entry names; None if another is there now."""
    file.seek(int(place["offset"]))
    line = file.read(int(place["length"]))
    return line if zlib.crc32(line) == place["line"] else None


def holding(file: IO[bytes], rows: Entries, text: str) -> npt.NDArray[np.bool_]:
    """Which of these entries have the text in prompt or answer, in any case of its letters."""
    find = _finder(text)
    held = np.zeros(len(rows), bool)
    block_of = (rows["offset"] // _BLOCK).astype("i8")
    for block in np.unique(block_of):
        first, last = np.searchsorted(block_of, [block, block + 1])
        start = int(rows["offset"][first])
        begins = rows["offset"][first:last].astype("i8") - start
        ends = begins + rows["length"][first:last]
        file.seek(start)
        content = file.read(int(ends[-1])).lower()
        # Most texts are in few blocks: where one is not, its lines need no look.
        if find(content, 0, len(content)) >= 0:
            lines = zip(begins.tolist(), ends.tolist(), strict=True)
            held[first:last] = [_line_holds(content, begin, end, find) for begin, end in lines]
    return held


_Find = Callable[[bytes, int, int], int]
"""``(content, from where on, up to where)`` -> place of the text, -1 if it is not there."""


def _finder(text: str) -> _Find:
    """Finds a text as JSON writes it, in content whose ASCII letters are in lower case."""
    wanted = json.dumps(text, ensure_ascii=False)[1:-1]
    if all(letter.isascii() or letter.lower() == letter.upper() for letter in wanted):
        lowered = wanted.lower().encode()
        return lambda content, start, end: content.find(lowered, start, end)
    ways = ({letter.lower()} if letter.isascii() else {letter.lower(), letter.upper()} for letter in wanted)
    pattern = re.compile("".join(f"(?:{'|'.join(map(re.escape, sorted(both)))})" for both in ways).encode())
    return lambda content, start, end: match.start() if (match := pattern.search(content, start, end)) else -1


# A quote within a text has a backslash before it, so that these cannot come up there.
_PROMPT, _ANSWER, _REST = b'"prompt": "', b'", "answer": "', b'", "rewards": '


def _line_holds(content: bytes, begin: int, end: int, find: _Find) -> bool:
    """Whether the line there has what is looked for within answer or prompt, and not in the names of its fields."""
    between = content.find(_ANSWER, begin, end)
    if find(content, between + len(_ANSWER), content.find(_REST, between, end)) >= 0:
        return True
    return find(content, content.find(_PROMPT, begin, between) + len(_PROMPT), between) >= 0
