"""Numbers that a local model gives to texts: measured in batches, kept, and not measured twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import torch

from jobs.curation.store import Store
from jobs.generation.answering import Text
from studio_core.base.errors import BadInput
from studio_core.curation.base import Work

AHEAD = 16
"""Batches that are put in order of length before the first is measured, so that little is padded."""


class Measured:
    """``fetch`` the items, then look their numbers up by key."""

    def __init__(
        self, work: Work, who: dict[str, Any], measure: Callable[[list[Text]], list[float]], batch: int
    ) -> None:
        if work.answers is None:
            raise BadInput("options.conflict", owner="answers", reason="no folder for answers")
        self._work, self._measure, self._batch = work, measure, batch
        self._store = Store(work.answers, who)

    def fetch(self, items: Iterable[Text], total: int, done: int = 0) -> None:
        unknown = self._unknown(items)
        while (ahead := list(islice(unknown, self._batch * AHEAD))) and not self._work.stopping():
            ahead.sort(key=lambda item: len(item.tokens))
            while ahead and not self._work.stopping():
                batch = ahead[: self._batch]
                try:
                    numbers = self._measure(batch)
                except torch.OutOfMemoryError:
                    if self._batch == 1:
                        raise
                    self._batch //= 2
                    torch.cuda.empty_cache()
                    continue
                for item, number in zip(batch, numbers, strict=True):
                    self._store.put(item.key, {"number": number})
                ahead = ahead[len(batch) :]
                self._done += len(batch)
                self._work.report(done + self._done, total, {})

    def __call__(self, key: str) -> float | None:
        known = self._store.get(key)
        return None if known is None else float(known["number"])

    _done = 0

    def _unknown(self, items: Iterable[Text]) -> Iterator[Text]:
        met: set[str] = set()
        for item in items:
            if item.key in met or item.key in self._store:
                self._done += 1
            else:
                met.add(item.key)
                yield item
