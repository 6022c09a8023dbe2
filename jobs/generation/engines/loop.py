"""A model of this machine as an engine: our decoding loop, with many answers in one batch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from jobs.generation import contents
from jobs.generation.answering import Failure, Outcome, Question, Stopping, Text
from jobs.generation.decoding import advance
from jobs.generation.lane import Row, left_padded
from jobs.generation.models import Models, Opened
from studio_core.base.errors import StudioError
from studio_core.generation.asking import Answer, plain
from studio_core.generation.sampling import Sampling
from studio_core.runs.spec import ResolvedModel

# Beyond it a CPU gains hardly anything; on a GPU it is halved when memory runs out.
BATCH = 32
AHEAD = 8
"""Batches that are put in order of length before the first is answered, so that little is padded."""


@cache
def models() -> Models:
    """The models of this job, on the device that it was given."""
    return Models(os.environ.get("TUNESMITH_DEVICE"))


@dataclass
class LoopEngine:
    models: Models
    model: ResolvedModel
    batch: int = BATCH
    prices: tuple[float, float] = (0.0, 0.0)

    @property
    def name(self) -> str:
        return self.model.name

    def identity(self, sampling: Sampling) -> dict[str, Any]:
        return {**identity(self.model), "sampling": [*sampling.identity, sampling.seed]}

    def answers(
        self, questions: Iterator[Question], sampling: Sampling, stopping: Stopping
    ) -> Iterator[Outcome]:
        opened = self.models.open(self.model)
        while (ahead := list(islice(questions, self.batch * AHEAD))) and not stopping():
            rows: list[tuple[Question, Row]] = []
            for question in ahead:
                try:
                    rows.append((question, self._row(opened, question, sampling)))
                except StudioError as error:
                    yield question, Failure(error.sentence())
            # Equal questions come to stand together, so that they are read once.
            rows.sort(key=lambda pair: (len(pair[1].prompt), pair[1].prompt))
            while rows and not stopping():
                asked, rows = rows[: self.batch], rows[self.batch :]
                try:
                    yield from _answered(asked, stopping)
                except torch.OutOfMemoryError:
                    if self.batch == 1:
                        raise
                    self.batch //= 2
                    again = [(question, self._row(opened, question, sampling)) for question, _ in asked]
                    rows = again + rows
                    torch.cuda.empty_cache()

    def scores(self, texts: list[Text]) -> list[list[float]]:
        return scores(self.models.open(self.model), texts)

    def _row(self, opened: Opened, question: Question, sampling: Sampling) -> Row:
        """Drawn by a seed of its own, so that an answer does not depend on what else is in the batch."""
        seed = (sampling.seed + int(question.key[:12], 16)) % (1 << 62)
        messages = [{"role": one["role"], "content": one["content"]} for one in question.messages]
        return Row(0, opened, opened.prompt(messages), sampling, seed)


def _answered(asked: list[tuple[Question, Row]], stopping: Stopping) -> list[Outcome]:
    """What one batch is answered; what is not answered when the user stops is left out."""
    rows = [row for _, row in asked]
    for place, row in enumerate(rows):
        row.side = place
    texts: list[list[str]] = [[] for _ in rows]
    for row, piece in advance(rows, stopping):
        texts[row.side].append(piece)
    outcomes: list[Outcome] = []
    for (question, row), text in zip(asked, texts, strict=True):
        if row.error is not None:
            outcomes.append((question, Failure(row.error.sentence())))
        elif row.reason and row.reason != "cancelled":
            outcomes.append((question, _answer(row, "".join(text))))
    return outcomes


def _answer(row: Row, text: str) -> Answer:
    logprobs = tuple(row.logprobs) if row.sampling.logprobs else None
    return Answer(plain(text), row.reason, len(row.prompt), len(row.tokens), logprobs, _first_token(row))


def _first_token(row: Row) -> dict[str, float]:
    """What might have stood first, where that is wanted; of two tokens with one text the likelier one."""
    chances: dict[str, float] = {}
    for token, logprob in row.alternatives[0] if row.alternatives else ():
        chances.setdefault(row.model.tokenizer.decode([token]), logprob)
    return chances


@torch.inference_mode()
def scores(opened: Opened, texts: list[Text]) -> list[list[float]]:
    """For each text of one batch the log-probabilities of its answer's tokens, in nats."""
    longest = max(text.answer for text in texts)
    ids, mask = left_padded([text.tokens for text in texts], opened.base.device)
    logits = opened.base.forward(
        [opened.adapter] * len(texts),
        input_ids=ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(-1) - 1).clamp(min=0),
        logits_to_keep=longest + 1,
    ).logits[:, -longest - 1 : -1]
    losses = torch.nn.functional.cross_entropy(
        logits.float().transpose(1, 2), ids[:, -longest:], reduction="none"
    )
    return [(-losses[place, -text.answer :]).tolist() for place, text in enumerate(texts)]


def identity(model: ResolvedModel) -> dict[str, Any]:
    """What tells this model from all others, and from itself with other weights; under another name it is the same."""
    folders = [Path(folder) for folder in (model.path, model.adapter) if folder]
    return {"files": [contents.hashes(folder) for folder in folders], "chat_template": model.chat_template}
