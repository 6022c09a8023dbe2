"""Answers of a model of this machine, many in one batch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from jobs.curation.makers import Failure, Outcome, Question
from jobs.generation.decoding import Lane, Row
from jobs.generation.models import Models, Opened
from studio_core.base.errors import StudioError
from studio_core.generation.asking import Answer, plain
from studio_core.generation.sampling import Sampling
from studio_core.runs.spec import ResolvedModel

BATCH = 32
AHEAD = 8
"""Batches that are put in order of length before the first is answered, so that little is padded."""


@cache
def models() -> Models:
    """The models of this job, on the device that it was given."""
    return Models(os.environ.get("TUNESMITH_DEVICE"))


@dataclass
class LocalModel:
    models: Models
    model: ResolvedModel
    sampling: Sampling
    batch: int = BATCH
    prices: tuple[float, float] = (0.0, 0.0)

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def who(self) -> dict[str, Any]:
        return {**identity(self.model), "sampling": [*self.sampling.identity, self.sampling.seed]}

    def answers(self, questions: Iterator[Question], stopping: Callable[[], bool]) -> Iterator[Outcome]:
        opened = self.models.open(self.model)
        while (ahead := list(islice(questions, self.batch * AHEAD))) and not stopping():
            rows: list[tuple[Question, Row]] = []
            for question in ahead:
                try:
                    rows.append((question, self._row(opened, question)))
                except StudioError as error:
                    yield question, Failure(error.sentence())
            rows.sort(key=lambda pair: len(pair[1].prompt))
            while rows and not stopping():
                asked, rows = rows[: self.batch], rows[self.batch :]
                try:
                    yield from _answered(asked, stopping)
                except torch.OutOfMemoryError:
                    if self.batch == 1:
                        raise
                    self.batch //= 2
                    again = [(question, self._row(opened, question)) for question, _ in asked]
                    rows = again + rows
                    torch.cuda.empty_cache()

    def _row(self, opened: Opened, question: Question) -> Row:
        """Drawn by a seed of its own, so that an answer does not depend on what else is in the batch."""
        seed = (self.sampling.seed + int(question.key[:12], 16)) % (1 << 62)
        messages = [{"role": one["role"], "content": one["content"]} for one in question.messages]
        return Row(0, opened, opened.prompt(messages), self.sampling, seed)


def _answered(asked: list[tuple[Question, Row]], stopping: Callable[[], bool]) -> list[Outcome]:
    """What one batch is answered; what is not answered when the user stops is left out."""
    rows = [row for _, row in asked]
    for place, row in enumerate(rows):
        row.side = place
    texts: list[list[str]] = [[] for _ in rows]
    lane = Lane(rows)
    while lane.rows and not stopping():
        for row, piece in lane.step():
            texts[row.side].append(piece)
    made: list[Outcome] = []
    for (question, row), text in zip(asked, texts, strict=True):
        if row.error is not None:
            made.append((question, Failure(row.error.sentence())))
        elif row.reason:
            tokens = len(row.prompt), len(row.tokens)
            made.append((question, Answer(plain("".join(text)), row.reason, *tokens)))
    return made


def identity(model: ResolvedModel) -> dict[str, Any]:
    """What tells this model from all others, and from itself with other weights."""
    folders = [Path(folder) for folder in (model.path, model.adapter) if folder]
    files = [
        [str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns]
        for folder in folders
        for file in sorted([*folder.glob("*.safetensors"), *folder.glob("*.json"), *folder.glob("*.jinja")])
    ]
    return {"model": model.name, "files": files, "chat_template": model.chat_template}
