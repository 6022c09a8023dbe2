"""From a dataset's Parquet file to the token columns that TRL trains on.

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
from studio_core.data.shapes import Record, Shape, without_nulls
from studio_core.data.truncation import alike, fitted
from studio_core.methods.common import TrainingOptions
from studio_core.runs.spec import RunSpec

IGNORED = -100
_ROWS_AT_ONCE = 1000

_KINDS = {"label": pa.bool_(), "learnt": pa.list_(pa.bool_())}
"""Of columns, by how their names end; all others are tokens."""

Row = dict[str, Any]
"""Lists of tokens, and of a judged answer whether it was good."""


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
    tokens: int = 0
    """Tokens of all rows that are trained on, once."""


@dataclass
class _Count:
    cut: int = 0
    dropped: int = 0
    alike: int = 0
    rows: list[Row] = field(default_factory=list)

    def keep(self, row: Row, learnt: bool) -> None:
        """Keep a row, or count it as dropped if nothing of it is learnt."""
        if learnt:
            self.rows.append(row)
        else:
            self.dropped += 1

    def is_alike(self, sides: list[Tokens], limit: int) -> bool:
        """Whether there is nothing to prefer in a pair; counted if so."""
        same = alike(sides, limit)
        self.alike += same
        return same


def for_sft(run: RunSpec, options: TrainingOptions, chat: ChatFormat) -> Prepared:
    """Columns ``input_ids`` and ``labels``; a label is -100 where nothing is learnt."""
    count = _Count()
    for _, [made], cut in _sequences(run, options, chat):
        count.cut += cut
        labels = [token if learnt else IGNORED for token, learnt in zip(made.ids, made.trained, strict=True)]
        count.keep(
            {"input_ids": made.ids[: options.max_length], "labels": labels[: options.max_length]},
            any(made.trained[: options.max_length]),
        )
    return _split(run, options, count, lambda row: len(row["input_ids"]))


def for_dpo(run: RunSpec, options: TrainingOptions, chat: ChatFormat) -> Prepared:
    """Columns ``prompt_ids``, ``chosen_ids`` and ``rejected_ids``; answers start where the prompt ends.

    ``chosen_learnt`` and ``rejected_learnt`` say of each token of an answer whether the assistant wrote it.
    """
    count = _Count()
    for _, sides, cut in _sequences(run, options, chat):
        if count.is_alike(sides, options.max_length):
            continue
        count.cut += cut
        row = {"prompt_ids": sides[0].ids[: sides[0].prompt]}
        row |= {f"{side.part}_ids": side.ids[side.prompt :] for side in sides}
        row |= {f"{side.part}_learnt": side.trained[side.prompt :] for side in sides}
        count.keep(row, all(any(side.trained[: options.max_length]) for side in sides))

    def length(row: Row) -> int:
        prompt, sides = len(row["prompt_ids"]), (len(row["chosen_ids"]), len(row["rejected_ids"]))
        return sum(min(options.max_length, prompt + side) for side in sides)

    return _split(run, options, count, length)


def for_reward(run: RunSpec, options: TrainingOptions, chat: ChatFormat) -> Prepared:
    """Columns ``chosen_ids`` and ``rejected_ids``, each with its prompt; pairs that do not fit are left out whole.

    A score is given at the end of an answer: without its end there is nothing to score.
    """
    count = _Count()
    for _, sides, cut in _sequences(run, options, chat):
        if count.is_alike(sides, options.max_length):
            continue
        fits = max(len(side.ids) for side in sides) <= options.max_length
        count.cut += cut and fits
        count.keep({f"{side.part}_ids": side.ids for side in sides}, fits)
    return _split(run, options, count, lambda row: len(row["chosen_ids"]) + len(row["rejected_ids"]))


def for_kto(run: RunSpec, options: TrainingOptions, chat: ChatFormat) -> Prepared:
    """Columns ``prompt_ids``, ``completion_ids`` and ``label``; refused is a dataset without both kinds of answers.

    ``completion_learnt`` says of each token of an answer whether the assistant wrote it. Without the rows'
    lengths: they are to come in random order, since good and bad answers often differ in length.
    """
    count = _Count()
    for record, [made], cut in _sequences(run, options, chat):
        count.cut += cut
        row = {
            "prompt_ids": made.ids[: made.prompt],
            "completion_ids": made.ids[made.prompt :],
            "completion_learnt": made.trained[made.prompt :],
            "label": bool(record["label"]),
        }
        count.keep(row, any(made.trained[: options.max_length]))

    def length(row: Row) -> int:
        return min(options.max_length, len(row["prompt_ids"]) + len(row["completion_ids"]))

    prepared = _split(run, options, count, length)
    good = sum(prepared.train["label"])
    if good in (0, len(prepared.train)):
        raise BadInput("methods.one_kind_only", dataset=run.dataset.name, rows=len(prepared.train), good=good)
    prepared.train = prepared.train.remove_columns("length")
    return prepared


def padded(masks: list[list[bool]], like: torch.Tensor) -> torch.Tensor:
    """Masks of rows as one, cut and padded to the shape of another."""
    whole = torch.zeros_like(like)
    for row, mask in zip(whole, masks, strict=True):
        row[: len(mask)] = torch.tensor(mask[: whole.shape[1]], dtype=like.dtype)
    return whole


def _sequences(
    run: RunSpec, options: TrainingOptions, chat: ChatFormat
) -> Iterator[tuple[Record, list[Tokens], bool]]:
    """Each record of the dataset, what is trained on of it, and whether it is longer than the length limit."""
    learning, limit = options.learning(), options.max_length
    for batch in _batches(run):
        for record, made in zip(batch, tokens(chat, Shape(run.dataset.shape), batch, learning), strict=True):
            cut = max(len(sequence.ids) for sequence in made) > limit
            yield record, fitted(chat, made, limit, learning) if cut else made, cut


def _batches(run: RunSpec) -> Iterator[list[dict[str, Any]]]:
    with pq.ParquetFile(run.dataset.path, pre_buffer=False) as file:
        for batch in file.iter_batches(_ROWS_AT_ONCE):
            yield [*map(without_nulls, batch.to_pylist())]


def _split(run: RunSpec, options: TrainingOptions, count: _Count, length: Callable[[Row], int]) -> Prepared:
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
        tokens=sum(map(length, kept)),
    )


def _dataset(rows: list[Row], length: Callable[[Row], int]) -> Dataset:
    kinds = {name: _KINDS.get(name.rpartition("_")[2], pa.list_(pa.int32())) for name in rows[0]}
    columns = {name: pa.array([row[name] for row in rows], kind) for name, kind in kinds.items()}
    return Dataset(pa.table({**columns, "length": pa.array([length(row) for row in rows])}))
