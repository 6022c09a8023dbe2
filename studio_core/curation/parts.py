"""Parts of a record whatever its shape: what is asked, what is answered, and changing the text of some of them."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Collection, Iterator
from typing import Any, Literal

from studio_core.data.shapes import Record

Part = Literal["system", "prompt", "answer", "rejected", "columns"]
"""``answer`` is also the chosen side of a pair, and plain text; ``prompt`` is all before the answer;
``columns`` are those beyond the shape's."""

TURNS = ("prompt", "messages", "completion", "chosen", "rejected", "completions")


def part_of(column: str, role: str = "") -> Part:
    """Which part a column is; of a column with turns, that of a turn."""
    if column == "text":
        return "answer"
    if column not in TURNS:
        return "columns"
    if role == "system":
        return "system"
    if column == "rejected":
        return "rejected"
    answered = column in ("completion", "chosen", "completions") or (
        column == "messages" and role == "assistant"
    )
    return "answer" if answered else "prompt"


def texts(record: Record, wanted: Collection[str] = ()) -> Iterator[str]:
    """The texts of these parts, in order; of all parts if none is named."""
    for column, value in record.items():
        for item in value if isinstance(value, list) else [value]:
            role, text = (item["role"], item["content"]) if isinstance(item, dict) else ("", item)
            if isinstance(text, str) and (not wanted or part_of(column, role) in wanted):
                yield text


def rewritten(record: Record, change: Callable[[str], str], wanted: Collection[str] = ()) -> Record:
    """A copy in which the texts of these parts are changed; they are asked for in the order of ``texts``."""

    def changed(column: str, item: Any) -> Any:
        if isinstance(item, dict):
            fits = not wanted or part_of(column, item["role"]) in wanted
            return {**item, "content": change(item["content"])} if fits else item
        fits = isinstance(item, str) and (not wanted or part_of(column) in wanted)
        return change(item) if fits else item

    return {
        column: [changed(column, item) for item in value]
        if isinstance(value, list)
        else changed(column, value)
        for column, value in record.items()
    }


def prompt_of(record: Record) -> str:
    """What is asked, without the system prompt: of a conversation all before its first answer, of plain text all."""
    whole = "prompt" not in record
    turns = record.get("messages") if whole else record["prompt"]
    if turns is None:
        return str(record["text"])
    texts = []
    for message in turns:
        if message["role"] == "assistant" and whole:
            break
        if message["role"] != "system":
            texts.append(message["content"])
    return "\n".join(texts)


def normalised(text: str) -> str:
    """Letters and digits only, in one case: texts that say the same are the same."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(filter(str.isalnum, plain)) or text


def fingerprint(text: str) -> int:
    """64 bits that are the same for the same text, everywhere and always."""
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")
