"""Items that are answered over several turns with the tools of an environment: the model calls, reads results, goes on.

The turns are those of trainings (``jobs/generation/trajectories.py``): nothing that was written is made tokens again.
What a whole exchange said is kept under the prompt, the way of drawing and the tools, so that a stopped job asks only
what is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from jobs.curation.answering import trouble
from jobs.curation.store import Store
from jobs.evaluation.questions import Questions
from jobs.evaluation.writing import Attempt, sampling_of, scored
from jobs.generation.answering import Failure, Question
from jobs.generation.decoding import advance
from jobs.generation.engines.loop import LoopEngine
from jobs.generation.lane import Row
from jobs.generation.models import Opened
from jobs.generation.tally import Tally
from jobs.generation.trajectories import Exchange, Trajectory
from studio_core.base.errors import BadInput, StudioError
from studio_core.curation.base import Work
from studio_core.environments import ENVIRONMENTS
from studio_core.environments.base import Environment
from studio_core.evaluation.items_file import AnsweredItem
from studio_core.generation.asking import Answer
from studio_core.generation.sampling import Sampling
from studio_core.suites import Suite

# As trainings have it: seeds of further turns lie far from those of all questions.
_APART = 0x9E3779B97F4A7C15


class _Stopped(Exception):
    pass


def answered(
    work: Work, engine: LoopEngine, asked: Questions, seed: int, done: int, total: int
) -> list[AnsweredItem]:
    """All items with their last turns scored, and every turn; none if the user stops.

    ``done`` of ``total`` answers of the whole job are there before these. Raises ``BadInput`` where the model's
    template cannot carry calls, ``StudioError`` where no question could be answered.
    """
    desk = Desk(work, engine, asked.suite, seed, done, total)
    questions = [
        Question([*item.messages], which) for item in asked.items for which in range(asked.suite.samples)
    ]
    try:
        desk.fetch(questions)
    except _Stopped:
        return []
    attempts = iter([desk.exchange(question) for question in questions])
    rows = []
    for item in asked.items:
        known = [next(attempts) for _ in range(asked.suite.samples)]
        told = [
            Attempt(item, which, [*item.messages], [answer(each)] if each else [], failed=each is None)
            for which, each in enumerate(known)
        ]
        rows.append(
            replace(scored(asked.suite, told), turns=[each["turns"] if each else [] for each in known])
        )
    return rows


def answer(known: dict[str, Any]) -> Answer:
    """The last turn as an answer; its tokens are all that the model wrote."""
    return Answer(known["turns"][-1]["content"], known["reason"], known["in"], known["out"])


class Desk:
    """One model with one environment, and what was said so far."""

    def __init__(
        self, work: Work, engine: LoopEngine, suite: Suite, seed: int, done: int, total: int
    ) -> None:
        if work.answers is None:
            raise BadInput("options.conflict", owner="answers", reason="no folder for answers")
        self._work, self._engine, self._done, self._total = work, engine, done, total
        self._environment: Environment = ENVIRONMENTS[suite.environment]
        self._told = [tool.definition for tool in self._environment.tools] if suite.tools_in_prompt else None
        self._sampling = sampling_of(suite, seed)
        self._turns = suite.max_turns
        tools = [self._environment.definitions, suite.max_turns, suite.tools_in_prompt]
        self._store = Store(work.answers, {**engine.identity(self._sampling), "environment": tools})
        self._tally = Tally(engine.name, engine.prices)

    def exchange(self, question: Question) -> dict[str, Any] | None:
        """What is kept of an exchange; None: it could not be had."""
        return self._store.get(question.key)

    def fetch(self, questions: Sequence[Question]) -> None:
        """Have them answered that are not known; raises ``_Stopped`` if the user stops before all are."""
        tallies: list[dict[str, Any]] = self._work.details.setdefault("answers", [])
        unknown = [question for question in questions if question.key not in self._store]
        self._tally.cached = len(questions) - len(unknown)
        self._done += self._tally.cached
        try:
            if unknown:
                self._ask(unknown)
        finally:
            tallies.append(self._tally.document())
        if self._tally.failed and not self._tally.asked and not self._tally.cached:
            raise trouble(self._engine, next(iter(self._tally.reasons), ""), self._tally.failed)

    def _ask(self, questions: Sequence[Question]) -> None:
        opened = self._engine.models.open(self._engine.model)
        if opened.chat is None:
            raise BadInput("chat.no_template", model=opened.name)
        exchange = Exchange(
            opened.chat, opened.tokenizer, self._environment, self._turns, opened.base.context
        )
        left: list[tuple[Question, list[int]]] = []
        for question in questions:
            try:
                left.append((question, opened.prompt(question.messages, self._told)))
            except StudioError as error:
                self._failed(error)
        left.sort(key=lambda pair: (len(pair[1]), pair[1]))
        while left:
            batch = left[: self._engine.batch]
            try:
                self._write(opened, exchange, batch)
            except torch.OutOfMemoryError:
                if self._engine.batch == 1:
                    raise
                self._engine.batch //= 2
                torch.cuda.empty_cache()
                continue
            left = left[len(batch) :]

    def _write(self, opened: Opened, exchange: Exchange, batch: Sequence[tuple[Question, list[int]]]) -> None:
        def draw(going: Sequence[tuple[int, Trajectory]], turn: int) -> list[Row]:
            rows = [self._row(opened, batch[place][0], text, turn) for place, text in going]
            for _ in advance(rows, self._work.stopping):
                pass
            if self._work.stopping():
                raise _Stopped
            return rows

        texts = exchange.write([prompt for _, prompt in batch], self._sampling.max_tokens, draw)
        for (question, _), text in zip(batch, texts, strict=True):
            if text.error is not None:
                self._failed(text.error)
            else:
                self._keep(question, text)

    def _row(self, opened: Opened, question: Question, text: Trajectory, turn: int) -> Row:
        """Drawn by a seed of its own, as answers of one turn are."""
        room = self._sampling.max_tokens - len(text.tokens)
        seed = (self._sampling.seed + int(question.key[:12], 16) + turn * _APART) % (1 << 62)
        sampling: Sampling = self._sampling.model_copy(update={"max_tokens": room})
        return Row(0, opened, text.ids, sampling, seed, streamed=False)

    def _keep(self, question: Question, text: Trajectory) -> None:
        known = {
            "turns": text.turns,
            "reason": "stop" if text.ended else "length",
            "in": len(text.prompt),
            "out": text.own_tokens,
        }
        self._store.put(question.key, known)
        self._tally.count(answer(known))
        self._tell()

    def _failed(self, error: StudioError) -> None:
        self._tally.count_failure(Failure(error.sentence()))
        self._tell()

    def _tell(self) -> None:
        self._done += 1
        tally = self._tally
        figures = {
            "answers_asked": tally.asked,
            "answers_cached": tally.cached,
            "answers_failed": tally.failed,
        }
        self._work.report(self._done, self._total, figures)
