"""Records as the checks see them: a thousand at a time, each taken apart once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from studio_core.data.shapes import COLUMNS, TOOLS, Message, Record, Shape, turn_text, without_nulls
from studio_core.data.words import Places, Words, words
from studio_core.reports.findings import BITS

# Large enough that numpy's own costs do not count, small enough that long records fit into some megabytes.
ROWS_AT_ONCE = 1000


class Parts(NamedTuple):
    """A record taken apart."""

    system: str
    prompt: str
    """All turns before the answer, without the system prompt."""
    answer: str
    """The last turn if it is the assistant's; of a pair, the chosen side; of plain text, all of it."""
    other: str
    """The rejected side of a pair."""
    turns: int
    kept: str
    """Further columns of prompt-only records."""


class Batch:
    """Some records in a row. ``first``: number of the first one, from 1."""

    def __init__(self, shape: Shape, first: int, records: list[Record]) -> None:
        self.shape = shape
        self.first = first
        self.records = records
        take_apart = _APART[shape]
        self.parts: list[Parts] = [take_apart(record) for record in records]
        self.found: npt.NDArray[np.uint32] = np.zeros(len(records), np.uint32)
        self.columns: dict[str, npt.NDArray[Any]] = {}
        """One number for each record, which checks leave for later."""

    def __len__(self) -> int:
        return len(self.records)

    def flag(self, place: int, finding: str) -> None:
        self.found[place] |= np.uint32(BITS[finding])

    @cached_property
    def texts(self) -> list[str]:
        """Everything that each record says, as one text."""
        return [
            "\n".join(filter(None, (part.system, part.prompt, part.answer, part.other, part.kept)))
            for part in self.parts
        ]

    @cached_property
    def prompt_words(self) -> list[list[str]]:
        return [words(part.prompt) for part in self.parts]

    @cached_property
    def answer_words(self) -> list[list[str]]:
        return [words(part.answer) for part in self.parts]

    @cached_property
    def other_words(self) -> list[list[str]]:
        return [words(part.other) for part in self.parts]

    @cached_property
    def words(self) -> Words:
        """Of each record the words of prompt, answer and other side, one after the other: three texts."""
        threes = zip(self.prompt_words, self.answer_words, self.other_words, strict=True)
        # In one object, so that shingles of all three are hashed in one pass.
        return Words([text for three in threes for text in three])

    @property
    def whole_spans(self) -> tuple[Places, Places]:
        starts = self.words.starts
        # Every third text begins a record.
        return starts[:-1:3], starts[3::3]

    @property
    def prompt_spans(self) -> tuple[Places, Places]:
        starts = self.words.starts
        return starts[:-1:3], starts[1::3]


def batches(file: Path, shape: Shape, columns: Sequence[str] | None = None) -> Iterator[Batch]:
    """All records of a dataset's Parquet file, or these columns of them as records of ``shape``."""
    first = 1
    # Without this pyarrow holds all that it has read until the end of the file.
    with pq.ParquetFile(file, pre_buffer=False) as opened:
        for some in opened.iter_batches(ROWS_AT_ONCE, columns=columns and list(columns)):
            # Columns that a record does not use are null in Parquet, and no part of it.
            batch = Batch(shape, first, [*map(without_nulls, some.to_pylist())])
            yield batch
            first += len(batch)


def _join_turns(messages: list[Message]) -> tuple[str, str]:
    """The system prompt, and all else that is said."""
    system = [message["content"] for message in messages if message["role"] == "system"]
    others = [turn_text(message) for message in messages if message["role"] != "system"]
    return "\n".join(system), "\n".join(others)


def _text(record: Record) -> Parts:
    return Parts("", "", record["text"], "", 1, "")


def _chat(record: Record) -> Parts:
    messages: list[Message] = record["messages"]
    answered = bool(messages) and messages[-1]["role"] == "assistant"
    system, prompt = _join_turns(messages[:-1] if answered else messages)
    return Parts(system, prompt, turn_text(messages[-1]) if answered else "", "", len(messages), "")


def _completion(record: Record) -> Parts:
    system, prompt = _join_turns(record["prompt"])
    answer = _join_turns(record["completion"])[1]
    return Parts(system, prompt, answer, "", len(record["prompt"]) + len(record["completion"]), "")


def _pair(record: Record) -> Parts:
    system, prompt = _join_turns(record["prompt"])
    chosen, rejected = _join_turns(record["chosen"])[1], _join_turns(record["rejected"])[1]
    return Parts(system, prompt, chosen, rejected, len(record["prompt"]) + len(record["chosen"]), "")


def _stepwise(record: Record) -> Parts:
    system, prompt = _join_turns(record["prompt"])
    return Parts(system, prompt, "\n".join(record["completions"]), "", len(record["prompt"]) + 1, "")


def _ranking(record: Record) -> Parts:
    """With the best answer as the answer, and all others as the other side."""
    system, prompt = _join_turns(record["prompt"])
    ranked = sorted(zip(record["ranks"], record["completions"], strict=True), key=lambda pair: pair[0])
    best, *others = (text for _, text in ranked)
    return Parts(system, prompt, best, "\n".join(others), len(record["prompt"]) + 1, "")


def _prompt_only(record: Record) -> Parts:
    system, prompt = _join_turns(record["prompt"])
    columns = COLUMNS[Shape.PROMPT_ONLY]
    kept = "\n".join(value for name, value in record.items() if name not in (*columns, TOOLS) and value)
    return Parts(system, prompt, "", "", len(record["prompt"]), kept)


_APART: dict[Shape, Callable[[Record], Parts]] = {
    Shape.TEXT: _text,
    Shape.CHAT: _chat,
    Shape.PROMPT_COMPLETION: _completion,
    Shape.UNPAIRED_PREFERENCE: _completion,
    Shape.PREFERENCE: _pair,
    Shape.PROMPT_ONLY: _prompt_only,
    Shape.STEPWISE: _stepwise,
    Shape.SCORED: _completion,
    Shape.RANKING: _ranking,
}
