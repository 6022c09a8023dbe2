"""How many tokens records have under a model's tokenizer, and how many a length limit would cut.

Counting tokens takes longer than all other checks together. So of more than ``SAMPLE`` rows that many
are drawn at random, always the same ones, and the report says so.
"""

from __future__ import annotations

import random
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel

from studio_core.data.tokenized import lengths_or_none
from studio_core.reports.batch import Batch
from studio_core.reports.check import FIRST, Check, Rows
from studio_core.reports.statistics import Distribution, Share, distribution, share

# A share of one in two is then known to a hundredth either way (95 %), within seconds.
SAMPLE = 10_000
# Lengths that people set, each twice the one before.
LIMITS = (256, 512, 1024, 2048, 4096, 8192, 16384, 32768)


class TokenLengths(BaseModel):
    tokens: Distribution | None
    """Null if no record could be written with the model's chat template."""
    counted: int
    """Rows whose tokens were counted."""
    sampled: bool
    """They are a random part of the rows: shares and the total are estimates."""
    refused: int
    """Of the sampled rows, those that the model's chat template cannot write."""
    total: int
    """Tokens of all rows."""
    limit: int | None
    cut: Share | None
    """Rows longer than the limit."""
    cut_rows: list[int]
    """The first of them that were counted."""
    over: dict[int, float]
    """``{limit: share of rows that are longer}``, for usual limits."""


class TokenCheck(Check[TokenLengths]):
    name: ClassVar[str] = "tokens"

    def __init__(self, asked: Any) -> None:
        super().__init__(asked)
        self._sampled = asked.rows > SAMPLE
        # With the report's seed, so that a report made twice says the same.
        chosen = random.Random(asked.seed).sample(range(1, asked.rows + 1), SAMPLE) if self._sampled else []
        self._chosen = np.sort(np.array(chosen, np.int64))
        self._rows: list[int] = []
        self._lengths: list[int] = []
        self._refused = 0

    def see(self, batch: Batch) -> None:
        if self.asked.tokenizer is None:
            return
        rows: Any = range(batch.first, batch.first + len(batch))
        if self._sampled:
            low, high = np.searchsorted(self._chosen, [batch.first, batch.first + len(batch)])
            rows = self._chosen[low:high].tolist()
        records = [batch.records[row - batch.first] for row in rows]
        # Through the helper that trainings count with, so that page and run agree.
        counted = lengths_or_none(self.asked.tokenizer, batch.shape, records)
        for row, length in zip(rows, counted, strict=True):
            if length is None:
                self._refused += 1
            else:
                self._rows.append(row)
                self._lengths.append(length)

    def result(self, rows: Rows) -> TokenLengths | None:
        if self.asked.tokenizer is None:
            return None
        found = np.array(self._lengths, np.int64)
        limit, count = self.asked.limit, len(found)
        longer = np.flatnonzero(found > limit) if limit else np.zeros(0, np.int64)
        return TokenLengths(
            tokens=distribution(found) if count else None,
            counted=count,
            sampled=self._sampled,
            refused=self._refused,
            # An estimate from the sample, for all rows.
            total=round(float(found.mean()) * rows.count) if count else 0,
            limit=limit,
            cut=share(len(longer), count) if limit and count else None,
            cut_rows=[self._rows[at] for at in longer[:FIRST]],
            over={at: float((found > at).mean()) for at in LIMITS} if count else {},
        )
