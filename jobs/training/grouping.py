"""The order in which rows are seen: rows of like length in one batch, batches in random order.

Little is padded, so little is computed in vain. Unlike the sampler of transformers, the order
depends on seed and epoch only, so that a resumed run sees exactly the rows that an unbroken one
would; and batches are shuffled once they are made, so that lengths do not fall in long waves.

The run begins with the longest rows of all. No later batch needs more, so that memory runs out in the first step or
never.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import Sampler

_BATCHES_COMPARED = 50
"""Rows are sorted within this many batches: enough to pad little, few enough that batches differ between epochs."""


class LikeLengths(Sampler[int]):
    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self._lengths, self._batch_size, self._seed = list(lengths), batch_size, seed
        self._epoch = 0

    def __len__(self) -> int:
        return len(self._lengths)

    def set_epoch(self, epoch: int) -> None:
        """Called at the start of each epoch, also of one that is resumed."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        # A prime well above any number of epochs: no two pairs of seed and epoch draw the same order.
        random = torch.Generator().manual_seed(self._seed * 1_000_003 + self._epoch)
        rows: list[int] = torch.randperm(len(self._lengths), generator=random).tolist()
        first, rows = longest_first(rows, self._lengths, self._batch_size) if not self._epoch else ([], rows)
        yield from first
        # Small datasets: at least four blocks, or every epoch would make the same batches.
        block = self._batch_size * min(_BATCHES_COMPARED, max(1, len(rows) // (4 * self._batch_size)))
        batches = []
        for start in range(0, len(rows), block):
            alike = sorted(rows[start : start + block], key=self._lengths.__getitem__, reverse=True)
            batches += [alike[i : i + self._batch_size] for i in range(0, len(alike), self._batch_size)]
        # Only the last batch of an epoch may be short, or the trainer would count one batch more.
        short = [batch for batch in batches if len(batch) < self._batch_size]
        full = [batch for batch in batches if len(batch) == self._batch_size]
        order: list[int] = torch.randperm(len(full), generator=random).tolist()
        for place in order:
            yield from full[place]
        for batch in short:
            yield from batch


def longest_first(order: list[int], lengths: Sequence[int], size: int) -> tuple[list[int], list[int]]:
    """The first batch of a run, which has its ``size`` longest rows, and the other rows in their order.

    Rows that are all of one length stay as they are.
    """
    if min(lengths) == max(lengths):
        return order[:size], order[size:]
    first = sorted(order, key=lengths.__getitem__, reverse=True)[:size]
    taken = set(first)
    return first, [row for row in order if row not in taken]


class OnTokens:
    """Of TRL's trainers: their datasets are tokens already, and are taken as they are."""

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset


class GroupedByLength:
    """Of a trainer: takes the rows in that order; at random where their lengths are not known."""

    args: Any
    train_dataset: Any
    _order: LikeLengths

    def _get_train_sampler(self, train_dataset: Any = None) -> LikeLengths:
        rows = self.train_dataset if train_dataset is None else train_dataset
        lengths = rows["length"] if "length" in rows.column_names else [1] * len(rows)
        # Ranks take batches in turn: those of one step are of like length, so that none waits for another.
        together = self.args.per_device_train_batch_size * self.args.world_size
        self._order = LikeLengths(lengths, together, self.args.seed)
        return self._order

    def _run_epoch(self, *, epoch: int, **given: Any) -> None:
        # Resuming in the middle of a later epoch on several ranks, the trainer itself does not reach it.
        self._order.set_epoch(epoch)
        super()._run_epoch(epoch=epoch, **given)  # type: ignore[misc]
