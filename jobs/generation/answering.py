"""The one way to have questions answered and texts scored, whoever answers.

    for question, outcome in answers(engine, questions, Sampling(n=4, stop=("\n\n",), logprobs=True)): ...
    for text, logprobs in zip(texts, engine.scores(texts)): ...

An engine takes questions as it has room for them and gives answers in the order in which they are done. With a seed an
answer of a model of this machine depends on question and settings alone, never on what else is asked with it.

No torch here: a job that asks a service only does not wait for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

from studio_core.data.shapes import Message
from studio_core.generation.asking import Answer
from studio_core.generation.sampling import Sampling


def digest(document: Any) -> str:
    """32 hexadecimal digits that are the same for equal documents."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Question:
    messages: list[Message]
    which: int = 0
    """Of several answers to the same question."""

    @property
    def key(self) -> str:
        return digest([[[one["role"], one["content"]] for one in self.messages], self.which])


@dataclass(frozen=True)
class Failure:
    """Why a question was not answered. It may well be asked again another time."""

    said: str


Outcome = tuple[Question, Answer | Failure]


@dataclass(frozen=True)
class Text:
    """Tokens, of which the last ``answer`` are scored. Nothing that comes before them is."""

    key: str
    tokens: list[int]
    answer: int


Stopping = Callable[[], bool]


class Engine(Protocol):
    """Who answers. ``answers`` draws one answer to each question; several to one are questions of their own."""

    name: str
    prices: tuple[float, float]
    """Per million tokens, of questions and of answers."""

    def identity(self, sampling: Sampling) -> dict[str, Any]:
        """What tells its answers, drawn like this, from all others."""

    def answers(
        self, questions: Iterator[Question], sampling: Sampling, stopping: Stopping
    ) -> Iterator[Outcome]:
        """Asks the questions as it has room for them; ends early when stopped."""


class Scorer(Protocol):
    """An engine that knows the chance of a text that it was given; services do not say it."""

    def scores(self, texts: list[Text]) -> list[list[float]]:
        """For each text of one batch the log-probabilities of its answer's tokens, in nats.

        Their mean, negated, is its surprise.
        """


def answers(
    engine: Engine, questions: Iterable[Question], sampling: Sampling, stopping: Stopping = lambda: False
) -> Iterator[Outcome]:
    """``sampling.n`` answers to each question, told apart by their ``which``. They share one reading of it."""
    asked = (
        replace(question, which=question.which * sampling.n + each)
        for question in questions
        for each in range(sampling.n)
    )
    return engine.answers(asked, sampling.model_copy(update={"n": 1}), stopping)
