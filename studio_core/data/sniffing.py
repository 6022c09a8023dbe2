"""What the first bytes of a file say it is: its format and its encoding."""

from __future__ import annotations

import codecs
import json
from typing import Any

from studio_core.errors import BadInput

HEAD = 256 << 10
"""Bytes that are looked at."""

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_FOREIGN = {
    b"PK\x03\x04": "ZIP / XLSX",
    b"\xd0\xcf\x11\xe0": "XLS",
    b"%PDF": "PDF",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"7z\xbc\xaf": "7z",
    b"ARROW1": "Arrow",
    b"SQLite format 3": "SQLite",
}


def sniff(head: bytes, ending: str, source: str) -> tuple[str, str]:
    """Format and encoding of a file that begins with ``head`` and whose name ends in ``ending``."""
    if head[:4] == b"PAR1":
        return "parquet", ""
    for magic, name in _FOREIGN.items():
        if head.startswith(magic):
            raise BadInput("data.file_foreign", file=source, format=name)
    encoding = next((name for bom, name in _BOMS if head.startswith(bom)), "utf-8")
    if encoding == "utf-8" and b"\0" in head:
        raise _not_text(head, source)
    text = head.decode(encoding, errors="replace").lstrip()
    return text_format(text, ending, source), encoding


def text_format(text: str, ending: str, source: str) -> str:
    """``jsonl``, ``json``, ``csv`` or ``tsv``."""
    lines = ending in ("jsonl", "ndjson")
    if text[:1] in "{[":
        first, _, rest = text.partition("\n")
        second = rest.lstrip()[:1]
        try:
            value = json.loads(first)
        except (ValueError, RecursionError):
            # A broken first line, or the beginning of a document over many lines.
            same = second == text[:1] and len(first.strip()) > 1
            return "jsonl" if same or (lines and len(first.strip()) > 1) else "json"
        if second:
            return "jsonl"
        if isinstance(value, dict) and not any(map(is_records, value.values())):
            return "jsonl"
        return "jsonl" if lines else "json"
    if lines:
        return "jsonl"
    if ending == "json":
        raise BadInput("data.json_not_json", file=source, start=text[:20])
    header = text.partition("\n")[0]
    if ending in ("tsv", "tab"):
        return "tsv"
    if ending == "csv":
        return "csv"
    if "\t" in header:
        return "tsv"
    if delimiter(header) in header:
        return "csv"
    raise BadInput("data.format_unknown", file=source)


def is_records(value: Any) -> bool:
    """Whether a JSON value looks like a list of records, not like the turns of one."""
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return False
    return not {"role", "from"} & value[0].keys()


def delimiter(header: str) -> str:
    """What separates the cells of this heading: the commonest of comma, semicolon, tab and bar."""
    return max(",;\t|", key=header.count)


def strict_json() -> json.JSONDecoder:
    """JSON as the standard has it: no NaN and no Infinity."""

    def refuse(name: str) -> Any:
        raise ValueError(f"{name} is not JSON")

    return json.JSONDecoder(parse_constant=refuse)


def _not_text(head: bytes, source: str) -> BadInput:
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) > len(head) / 5:
        return BadInput(
            "data.encoding",
            file=source,
            position=head.index(0),
            likely="UTF-16LE" if odd > even else "UTF-16BE",
        )
    return BadInput("data.file_binary", file=source, position=head.index(0))


def wrong_encoding(line: bytes, start: int, position: int, source: str) -> BadInput:
    """Names the byte that is not UTF-8 and the encoding in which the line reads best."""
    return BadInput(
        "data.encoding", file=source, position=position, likely=_likely(line[max(0, start - 200) :])
    )


def _likely(block: bytes) -> str:
    scores = {}
    for name, script in _SCRIPTS.items():
        text = block[:4000].decode(name, errors="replace")
        foreign = [place for place, character in enumerate(text) if ord(character) > 127]
        fitting = [p for p in foreign if any(low <= ord(text[p]) <= high for low, high in script)]
        if name == "windows-1252":
            # Its letters with accents stand among plain ones, not in whole words of their own.
            fitting = [p for p in fitting if any(c.isascii() for c in text[max(0, p - 1) : p + 2])]
        scores[name] = len(fitting) / max(1, len(foreign))
    return max(scores, key=lambda name: scores[name]).upper()


_SCRIPTS = {
    # The commoner Chinese characters and full-width marks; in a wrong encoding others turn up too.
    "gb18030": ((0x4E00, 0x9FA5), (0x3000, 0x303F), (0xFF00, 0xFF5E)),
    "windows-1252": ((0xC0, 0xFF), (0x2010, 0x2026), (0xA0, 0xBF)),
    "shift_jis": ((0x3040, 0x30FF), (0x4E00, 0x9FA5), (0x3000, 0x303F)),
    "big5": ((0x4E00, 0x9FA5), (0x3000, 0x303F), (0xFF00, 0xFF5E)),
    "windows-1251": ((0x410, 0x44F),),
}
