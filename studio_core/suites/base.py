"""What a suite is: questions, and what an answer to one of them is worth. Pure functions; no torch here.

A suite of the studio's own has its questions in ``static/suites/<name>.jsonl``, one ``Item`` a line. A published one
has a ``Source``: its file, of the shape in which its authors publish it, is brought by a person or fetched when asked
for, and lies in the studio's folder of suites. Texts are ``suites.<suite>`` and ``....help``, reasons
``suites.reasons.<reason>``.
"""

from __future__ import annotations

import gzip
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from studio_core.base.settings import bundled_folder
from studio_core.data.shapes import Message
from studio_core.options import Part

if TYPE_CHECKING:
    from studio_core.suites.benchmarks.base import Benchmark
    from studio_core.suites.judged.protocol import Protocol


@dataclass(frozen=True)
class Item:
    """One question of a suite."""

    suite: str
    kind: str
    """What is asked for: a suite may be looked at by kinds."""
    messages: tuple[Message, ...]
    key: str
    """What a right answer says."""
    other: str = ""
    """What it must say besides."""
    wrong: tuple[str, ...] = ()
    """What it must not say."""
    id: str = ""
    """As its publisher names it; empty: its place in the suite."""
    record: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else its scorer looks into, as it was published."""
    choices: tuple[str, ...] = ()
    """Texts of which the likelier is the answer, where a suite is scored by likelihood; ``key`` is the right one."""
    follow_ups: tuple[str, ...] = ()
    """What the user says after each answer, where a question has several turns."""
    cluster: str = ""
    """Items of one cluster (questions on one text) belong together: their scores are not independent."""

    @property
    def question(self) -> str:
        return self.messages[-1]["content"]


@dataclass(frozen=True)
class Verdict:
    """What an answer is worth, and why."""

    value: float
    """From 0, wrong, to 1, right."""
    reason: str = ""
    """Key of a sentence on what the scorer saw: ``suites.reasons.<reason>``."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """What that sentence quotes."""
    readable: bool = True
    """Whether there was an answer to be read: a wrong one is, one without the form that was asked for is not."""


@dataclass(frozen=True)
class Source:
    """Where the questions of a published suite come from. Nothing is fetched without being asked for."""

    hub: str
    """Its dataset on the Hub; empty: only a file of the user's."""
    split: str = "test"
    config: str = ""
    licence: str = ""
    about: str = ""
    """Address of the paper or of the authors' page."""


class SuiteOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def own_item(suite: str, record: Mapping[str, Any], number: int) -> Item:
    """A line of the studio's own suites."""
    return Item(
        suite,
        record["kind"],
        tuple(record["messages"]),
        record.get("key", ""),
        record.get("other", ""),
        tuple(record.get("wrong", ())),
    )


@dataclass(frozen=True)
class Suite(Part):
    name: str
    score: Callable[[Item, str], Verdict]
    """What an answer, without the space around it, is worth."""
    Options: type[SuiteOptions] = SuiteOptions
    max_tokens: int = 72
    """Of an answer. The longest right one of the studio's own suites has 60."""
    temperature: float = 0.0
    samples: int = 1
    """Answers drawn to each question; its value is their mean."""
    stop: tuple[str, ...] = ()
    item: Callable[[str, Mapping[str, Any], int], Item] = own_item
    """``(suite, record, number from 1)`` -> item: reads a published record. Raises KeyError, TypeError or ValueError
    if it is none."""
    source: Source | None = None
    """None: the studio's own."""
    joined: (
        Callable[[Iterable[Mapping[str, Any]], Iterable[Mapping[str, Any]]], Iterator[dict[str, Any]]] | None
    ) = None
    """``(records, answers) -> records``, of one that is published as two files. Raises KeyError with the id of a
    record that has no answer, ValueError with what is none."""
    answers_optional: bool = False
    """Whether the questions do without the second file."""
    scored_by: str = "answer"
    """``answer``: ``score`` reads what was written; ``choices``: the likeliest of the item's choices is the answer;
    ``text``: how likely the item's question is as plain text, in bits a byte; ``judge``: a judge is asked as
    ``protocol`` says; ``drift``: how far the model's next tokens are from those of the job's first model;
    ``environment``: ``score`` reads the last of several turns, in which tools may be called; ``lm_eval`` and
    ``benchmark``: a program of its authors asks and scores."""
    questions: str = ""
    """The suite whose file it reads; empty: it has one of its own."""
    environment: str = ""
    """By name, whose tools the model may call while it answers."""
    max_turns: int = 1
    """Of the model, where it may call tools; ``max_tokens`` is the limit of all together, results counted."""
    tools_in_prompt: bool = True
    """Whether the prompt says which tools there are, where there are any."""
    higher_is_better: bool = True
    unit: Literal["share", "bits", "nats", "score"] = "share"
    """Of a value: from 0 to 1, bits a byte, nats a token, or a judge's score from 1 to 10."""
    figures: Callable[[Sequence[Item], Sequence[str]], dict[str, float]] | None = None
    """``(items, an answer to each) -> {name: share}``: what is published of it beside the mean of the values. Texts
    are ``suites.figures.<name>``."""
    protocol: Protocol | None = field(default=None, hash=False)
    benchmark: Benchmark | None = field(default=None, hash=False)
    """The program that asks and scores, where it is one of a benchmark."""
    temperatures: Mapping[str, float] = field(default_factory=dict, hash=False)
    """By kind, of kinds whose answers are not drawn with ``temperature``."""

    @property
    def title_key(self) -> str:
        return f"suites.{self.name}"

    @property
    def of_program(self) -> bool:
        """Whether a program of its authors knows the questions, asks them and scores the answers."""
        return self.scored_by in ("lm_eval", "benchmark")

    @property
    def items(self) -> tuple[Item, ...]:
        """The questions of one of the studio's own, always in the same order."""
        return _own_items(self)

    def file(self, folder: Path) -> Path:
        """Where its questions are, or would be; ``folder`` is the studio's folder of suites."""
        return (
            bundled_folder() / "suites" if self.source is None else folder
        ) / f"{self.questions or self.name}.jsonl"

    def read(self, file: Path) -> tuple[Item, ...]:
        """All its questions in the order of the file; errors as of ``item``."""
        return tuple(
            self.item(self.name, record, number) for number, record in enumerate(records(file), start=1)
        )

    def temperature_of(self, item: Item) -> float:
        return self.temperatures.get(item.kind, self.temperature)

    def right(self, item: Item, answer: str) -> bool:
        return self.score(item, answer.strip()).value >= 1


@cache
def _own_items(suite: Suite) -> tuple[Item, ...]:
    return suite.read(suite.file(Path()))


def records(file: Path) -> Iterable[dict[str, Any]]:
    """Those of a file of JSON lines, also compressed by gzip."""
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def by(right: Callable[[Item, str], bool]) -> Callable[[Item, str], Verdict]:
    """A score of a rule that only knows right and wrong."""

    def score(item: Item, answer: str) -> Verdict:
        if right(item, answer):
            return Verdict(1.0)
        return Verdict(0.0, "wanted", {"wanted": item.key}) if item.key else Verdict(0.0)

    return score


def text_in(record: Mapping[str, Any], *columns: str) -> str:
    """The text of the first of these columns that the record has; publishers differ in capitals.

    Raises KeyError where it has none of them, TypeError where no text stands there, ValueError where it is empty.
    """
    column = next((name for name in columns if name in record), None)
    if column is None:
        raise KeyError(columns[0])
    text = record[column]
    if not isinstance(text, str):
        raise TypeError(f"{column}: {text!r:.80} is no text")
    if not text.strip():
        raise ValueError(f"{column}: empty")
    return text


def unscored(item: Item, answer: str) -> Verdict:
    """Of suites whose worker says what answers are worth, since it has more at hand than one answer."""
    return Verdict(math.nan)


def asked(text: str, system: str = "") -> tuple[Message, ...]:
    """A question as a conversation."""
    first: Sequence[Message] = [{"role": "system", "content": system}] if system else []
    return (*first, {"role": "user", "content": text})


def has(text: str, words: str) -> bool:
    """Whether the words stand in the text as words, not inside of others."""
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text) is not None
