"""From a dataset's Parquet file to token columns. Which columns a method eats stands beside its script (``rows``).

Tokens and what is learnt of them are those of ``studio_core.data.sequences``, which the page shows too;
without the caches of ``datasets``, so that a run starts at once.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from datasets import Dataset

from studio_core.base.errors import BadInput
from studio_core.data.chat_format import ChatFormat
from studio_core.data.sequences import Tokens, tokens
from studio_core.data.shapes import TOOLS, Message, Record, Shape, without_nulls
from studio_core.data.truncation import fit_to_limit, same_within_limit
from studio_core.methods.common import TrainingOptions
from studio_core.runs.spec import RunSpec

IGNORED = -100
"""The label that PyTorch's cross-entropy passes over."""
_ROWS_AT_ONCE = 1000
"""Records that are read and made tokens together: a few MB, and enough that calls do not count."""

_KINDS = {
    "label": pa.bool_(),
    "learnt": pa.list_(pa.bool_()),
    "score": pa.float32(),
    "margin": pa.float32(),
    "answers": pa.list_(pa.list_(pa.int32())),
    "text": pa.string(),
}
"""Of columns, by how their names end; all others are tokens, or as whole numbers as those."""

Row = dict[str, Any]
"""Lists of tokens, and of a judged answer how good it was."""


@dataclass
class Prepared:
    """Token columns of a run's dataset, and what was lost on the way."""

    train: Dataset
    held_out: Dataset | None
    cut: int = 0
    """Rows of which the length limit left something out."""
    dropped: int = 0
    """Rows left out, since the cut left nothing to learn from."""
    alike: int = 0
    """Pairs left out, since up to the length limit both sides are the same tokens: there is nothing to prefer."""
    drawn: int = 0
    """Rankings of which only some answers are taken."""
    tokens: int = 0
    """Tokens of all rows that are trained on, once."""
    replayed: int = 0
    """Rows of another dataset among those to train on."""
    packed: bool = False
    """Whether several rows stand in one sequence."""


@dataclass
class Count:
    cut: int = 0
    dropped: int = 0
    alike: int = 0
    drawn: int = 0
    rows: list[Row] = field(default_factory=list)

    def keep(self, row: Row, learnt: bool) -> None:
        """Keep a row, or count it as dropped if nothing of it is learnt."""
        if learnt:
            self.rows.append(row)
        else:
            self.dropped += 1

    def is_alike(self, sides: list[Tokens], limit: int) -> bool:
        """Whether there is nothing to prefer in a pair; counted if so."""
        same = same_within_limit(sides, limit)
        self.alike += same
        return same


def padded(masks: list[list[bool]], like: torch.Tensor) -> torch.Tensor:
    """Masks of rows as one, cut and padded to the shape of another."""
    whole = torch.zeros_like(like)
    for row, mask in zip(whole, masks, strict=True):
        row[: len(mask)] = torch.tensor(mask[: whole.shape[1]], dtype=like.dtype)
    return whole


def sequences(
    run: RunSpec, options: TrainingOptions, chat: ChatFormat
) -> Iterator[tuple[Record, list[Tokens], bool]]:
    """Each record of the dataset, what is trained on of it, and whether it is longer than the length limit."""
    learning, limit = options.learning(), options.max_length
    for batch in _batches(run):
        for record, made in zip(batch, tokens(chat, Shape(run.dataset.shape), batch, learning), strict=True):
            cut = max(len(sequence.ids) for sequence in made) > limit
            yield record, fit_to_limit(chat, made, limit, learning) if cut else made, cut


def prompts(run: RunSpec, chat: ChatFormat) -> Iterator[list[int]]:
    """The tokens of each record's prompt, up to where an answer begins: of a chat all before its last answer."""
    yield from (ids for _, ids in prompt_records(run, chat))


def prompt_records(
    run: RunSpec, chat: ChatFormat, tools: str | None = None
) -> Iterator[tuple[Record, list[int]]]:
    """The same with the records, of which ``prompt`` are the messages of the prompt.

    ``tools``: definitions that each prompt tells of, as the column of that name holds them; empty: none. No record
    may have tools of its own then.
    """
    told = {TOOLS: tools} if tools else {}
    for batch in _batches(run):
        own = next((record[TOOLS] for record in batch if record.get(TOOLS)), None)
        if own and tools is not None:
            raise BadInput("methods.rollouts.own_tools", tools=own[:120])
        asked = [{**record, "prompt": _prompt(record), **told} for record in batch]
        made = tokens(chat, Shape.PROMPT_ONLY, asked)
        yield from ((record, one.ids) for record, [one] in zip(asked, made, strict=True))


def _prompt(record: Record) -> list[Message]:
    messages: list[Message] = record["messages"] if "messages" in record else record["prompt"]
    return messages[:-1] if messages[-1]["role"] == "assistant" else messages


def _batches(run: RunSpec) -> Iterator[list[dict[str, Any]]]:
    chosen = None if run.dataset.chosen is None else set(run.dataset.chosen)
    first = 0
    with pq.ParquetFile(run.dataset.path, pre_buffer=False) as file:
        for batch in file.iter_batches(_ROWS_AT_ONCE):
            numbers = range(first, first := first + len(batch))
            if chosen is not None:
                batch = batch.take([number - numbers.start for number in numbers if number in chosen])
            if len(batch):
                yield [*map(without_nulls, batch.to_pylist())]


def split(run: RunSpec, options: TrainingOptions, count: Count, length: Callable[[Row], int]) -> Prepared:
    """Part the rows into those to train on and those held out; order and choice depend on the seed only.

    Those held out are in random order: files list good answers before bad ones, and KTO measures drift by batch.
    """
    rows = count.rows
    if not rows:
        raise BadInput("methods.nothing_to_learn", dataset=run.dataset.name, limit=options.max_length)
    held_out = random.Random(run.spec.seed).sample(range(len(rows)), options.held_out(len(rows)))
    apart = set(held_out)
    kept = [row for index, row in enumerate(rows) if index not in apart]
    return Prepared(
        train=_dataset(kept, length),
        held_out=_dataset([rows[index] for index in held_out], length) if held_out else None,
        cut=count.cut,
        dropped=count.dropped,
        alike=count.alike,
        drawn=count.drawn,
        tokens=sum(map(length, kept)),
    )


def _dataset(rows: list[Row], length: Callable[[Row], int]) -> Dataset:
    kinds = {name: _KINDS.get(name.rpartition("_")[2], pa.list_(pa.int32())) for name in rows[0]}
    columns = {name: pa.array([row[name] for row in rows], kind) for name, kind in kinds.items()}
    return Dataset(pa.table({**columns, "length": pa.array([length(row) for row in rows])}))
