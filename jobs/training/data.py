"""From a dataset's Parquet file to the token columns that TRL trains on.

Equal to what TRL would make of the same rows (a test compares them), but tokenised in batches and
without the caches of ``datasets``, so that a run starts at once.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from studio_core.data.answer_spans import answer_spans
from studio_core.data.shapes import Message, Shape
from studio_core.errors import BadInput
from studio_core.methods.common import TrainingOptions
from studio_core.spec import RunSpec

IGNORED = -100
_ROWS_AT_ONCE = 1000
_GENERATION_MARK = re.compile(r"\{%-?\s*generation\s*-?%\}")

Row = dict[str, Any]
"""Lists of tokens, and of a judged answer whether it was good."""


@dataclass
class Prepared:
    """Token columns of a run's dataset, and what was lost on the way."""

    train: Dataset
    held_out: Dataset | None
    cut: int = 0
    """Rows of which the end was cut off by the length limit."""
    dropped: int = 0
    """Rows left out, since the cut left nothing to learn from."""
    tokens: int = 0
    """Tokens of all rows that are trained on, once."""


@dataclass
class _Count:
    cut: int = 0
    dropped: int = 0
    rows: list[Row] = field(default_factory=list)


def for_sft(run: RunSpec, options: TrainingOptions, tokenizer: PreTrainedTokenizerBase) -> Prepared:
    """Columns ``input_ids`` and ``labels``; a label is -100 where nothing is learnt."""
    shape = Shape(run.dataset.shape)
    answers_only = getattr(options, "loss_on", "answers") == "answers"
    tokenised: dict[Shape, Callable[[list[dict[str, Any]]], list[Row]]] = {
        Shape.TEXT: lambda rows: _texts(tokenizer, [row["text"] for row in rows]),
        Shape.CHAT: lambda rows: _chats(tokenizer, [row["messages"] for row in rows], answers_only),
        Shape.PROMPT_COMPLETION: lambda rows: _completions(tokenizer, rows, answers_only),
    }
    count = _Count()
    for batch in _batches(run):
        for row in tokenised[shape](batch):
            count.cut += len(row["input_ids"]) > options.max_length
            row = {name: values[: options.max_length] for name, values in row.items()}
            if any(label != IGNORED for label in row["labels"]):
                count.rows.append(row)
            else:
                count.dropped += 1
    return _split(run, options, count, lambda row: len(row["input_ids"]))


def for_dpo(run: RunSpec, options: TrainingOptions, tokenizer: PreTrainedTokenizerBase) -> Prepared:
    """Columns ``prompt_ids``, ``chosen_ids`` and ``rejected_ids``; answers start where the prompt ends."""
    count = _Count()
    for batch in _batches(run):
        prompts = _render(tokenizer, [row["prompt"] for row in batch], opened=True)
        chosen = _render(tokenizer, [row["prompt"] + row["chosen"] for row in batch])
        rejected = _render(tokenizer, [row["prompt"] + row["rejected"] for row in batch])
        encoded = (_tokens(tokenizer, texts) for texts in (prompts, chosen, rejected))
        for prompt, with_chosen, with_rejected in zip(*encoded, strict=True):
            start = min(_common(prompt, with_chosen), _common(prompt, with_rejected))
            count.cut += max(len(with_chosen), len(with_rejected)) > options.max_length
            if start >= options.max_length:
                count.dropped += 1
                continue
            row = {
                "prompt_ids": prompt[:start],
                "chosen_ids": with_chosen[start:],
                "rejected_ids": with_rejected[start:],
            }
            count.rows.append(row)

    def length(row: Row) -> int:
        prompt, sides = len(row["prompt_ids"]), (len(row["chosen_ids"]), len(row["rejected_ids"]))
        return sum(min(options.max_length, prompt + side) for side in sides)

    return _split(run, options, count, length)


def for_reward(run: RunSpec, options: TrainingOptions, tokenizer: PreTrainedTokenizerBase) -> Prepared:
    """Columns ``chosen_ids`` and ``rejected_ids``, each with its prompt; pairs that do not fit are left out whole.

    A score is given at the end of an answer: without its end there is nothing to score.
    """
    count = _Count()
    for batch in _batches(run):
        sides = (
            _render(tokenizer, [row["prompt"] + row[side] for row in batch])
            for side in ("chosen", "rejected")
        )
        for chosen, rejected in zip(*(_tokens(tokenizer, texts) for texts in sides), strict=True):
            if max(len(chosen), len(rejected)) > options.max_length:
                count.dropped += 1
            else:
                count.rows.append({"chosen_ids": chosen, "rejected_ids": rejected})
    return _split(run, options, count, lambda row: len(row["chosen_ids"]) + len(row["rejected_ids"]))


def for_kto(run: RunSpec, options: TrainingOptions, tokenizer: PreTrainedTokenizerBase) -> Prepared:
    """Columns ``prompt_ids``, ``completion_ids`` and ``label``; refused is a dataset without both kinds of answers.

    Without their lengths: rows are to come in random order, since good and bad answers often differ in length.
    """
    count = _Count()
    for batch in _batches(run):
        prompts = _tokens(tokenizer, _render(tokenizer, [row["prompt"] for row in batch], opened=True))
        whole = _tokens(tokenizer, _render(tokenizer, [row["prompt"] + row["completion"] for row in batch]))
        for row, prompt, ids in zip(batch, prompts, whole, strict=True):
            start = _common(prompt, ids)
            count.cut += len(ids) > options.max_length
            if start >= options.max_length:
                count.dropped += 1
                continue
            count.rows.append(
                {"prompt_ids": ids[:start], "completion_ids": ids[start:], "label": bool(row["label"])}
            )

    def length(row: Row) -> int:
        return min(options.max_length, len(row["prompt_ids"]) + len(row["completion_ids"]))

    prepared = _split(run, options, count, length)
    good = sum(prepared.train["label"])
    if good in (0, len(prepared.train)):
        raise BadInput("methods.one_kind_only", dataset=run.dataset.name, rows=len(prepared.train), good=good)
    prepared.train = prepared.train.remove_columns("length")
    return prepared


def _batches(run: RunSpec) -> Iterator[list[dict[str, Any]]]:
    with pq.ParquetFile(run.dataset.path, pre_buffer=False) as file:
        for batch in file.iter_batches(_ROWS_AT_ONCE):
            yield batch.to_pylist()


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
        tokens=sum(map(length, kept)),
    )


def _dataset(rows: list[Row], length: Callable[[Row], int]) -> Dataset:
    kinds = {
        n: pa.bool_() if isinstance(value, bool) else pa.list_(pa.int32()) for n, value in rows[0].items()
    }
    columns = {name: pa.array([row[name] for row in rows], kind) for name, kind in kinds.items()}
    return Dataset(pa.table({**columns, "length": pa.array([length(row) for row in rows])}))


def _texts(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[Row]:
    end = tokenizer.eos_token
    whole = [text if text.endswith(end) else text + end for text in texts]
    return [{"input_ids": ids, "labels": ids} for ids in tokenizer(whole)["input_ids"]]


def _chats(tokenizer: PreTrainedTokenizerBase, chats: list[list[Message]], answers_only: bool) -> list[Row]:
    if not answers_only:
        return [{"input_ids": ids, "labels": ids} for ids in _tokens(tokenizer, _render(tokenizer, chats))]
    if _GENERATION_MARK.search(tokenizer.chat_template or ""):
        encoded = tokenizer.apply_chat_template(
            chats, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
        )
        masks = encoded["assistant_masks"]
        return [_masked(ids, mask) for ids, mask in zip(encoded["input_ids"], masks, strict=True)]
    return _chats_by_spans(tokenizer, chats)


def _chats_by_spans(tokenizer: PreTrainedTokenizerBase, chats: list[list[Message]]) -> list[Row]:
    """For templates that do not mark answers: a token is learnt if it begins in an answer's span of text."""
    texts = _render(tokenizer, chats)
    encoded = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)

    def render(messages: list[Message], opened: bool) -> str:
        return _render(tokenizer, [messages], opened=opened)[0]

    rows = []
    for chat, text, ids, offsets in zip(
        chats, texts, encoded["input_ids"], encoded["offset_mapping"], strict=True
    ):
        spans = answer_spans(render, chat, text)
        mask = [any(start <= begin < end for start, end in spans) for begin, _ in offsets]
        rows.append(_masked(ids, mask))
    return rows


def _completions(
    tokenizer: PreTrainedTokenizerBase, rows: list[dict[str, Any]], answers_only: bool
) -> list[Row]:
    whole = _tokens(tokenizer, _render(tokenizer, [row["prompt"] + row["completion"] for row in rows]))
    if not answers_only:
        return [{"input_ids": ids, "labels": ids} for ids in whole]
    prompts = _tokens(tokenizer, _render(tokenizer, [row["prompt"] for row in rows], opened=True))
    starts = [_common(prompt, ids) for prompt, ids in zip(prompts, whole, strict=True)]
    return [
        {"input_ids": ids, "labels": [IGNORED] * start + ids[start:]}
        for start, ids in zip(starts, whole, strict=True)
    ]


def _masked(ids: list[int], mask: list[int] | list[bool]) -> Row:
    labels = [token if learnt else IGNORED for token, learnt in zip(ids, mask, strict=True)]
    return {"input_ids": ids, "labels": labels}


def _render(
    tokenizer: PreTrainedTokenizerBase, chats: list[list[Message]], *, opened: bool = False
) -> list[str]:
    """The chats as text; ``opened``: up to where the next answer begins."""
    texts: list[str] = tokenizer.apply_chat_template(chats, tokenize=False, add_generation_prompt=opened)
    return texts


def _tokens(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return ids


def _common(left: list[int], right: list[int]) -> int:
    """How many tokens two sequences have in common at their start."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(left), len(right)))
