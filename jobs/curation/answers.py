"""Answers to be judged by people, written by the sources of a labelling project.

It goes through the prompts in batches that grow: all sources answer one batch, and its items are told, so
that labelling starts at once. Answers are kept as they come, and what an earlier start has told is not told
again, so that a job that was killed goes on where it was.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, islice
from pathlib import Path
from random import Random
from typing import Any

from jobs.curation.answering import Answers, local, named_service
from jobs.curation.prompts import several
from jobs.curation.telling import told_before
from jobs.generation.answering import Engine, Question
from jobs.generation.engines.service import ServiceEngine
from studio_core import rewards
from studio_core.curation.asking import with_system
from studio_core.curation.base import Work
from studio_core.data.shapes import Message, question_text
from studio_core.generation.answer_jobs import AnswerSource, AnswersSpec
from studio_core.generation.sampling import Sampling

FIRST = 4
"""Prompts in the first batch; each further one is twice as long, up to the most."""
# A batch of the decoding loop.
MOST = 32
MOST_OF_SEVERAL = 256
"""Where models may not fit in memory together, and each batch may mean loading them again."""

AT_ONCE = {"rate": 1, "pairs": 2}
"""Answers of one item; of rankings it is all of them."""


@dataclass(frozen=True)
class Prompt:
    row: int
    messages: list[Message]
    record: dict[str, Any]


def run(work: Work, options: dict[str, Any]) -> None:
    asked = AnswersSpec.model_validate(options)
    desk = Desk(work, asked)
    prompts = (one for one in read(Path(asked.prompts)) if one.row not in desk.told)
    size, failed = FIRST, 0
    while not work.stopping() and (batch := list(islice(prompts, size))):
        failed += desk.write(batch)
        size = min(2 * size, desk.most)
    desk.check()
    for _ in range(failed if not work.stopping() else 0):
        work.tell("item", dropped="failed")


def read(file: Path) -> Iterator[Prompt]:
    with open(file, encoding="utf-8") as lines:
        for row, line in enumerate(lines, start=1):
            document = json.loads(line)
            yield Prompt(row, document["prompt"], document.get("record", {}))


class Desk:
    """The writers of a project, and the items that they make of prompts."""

    def __init__(self, work: Work, asked: AnswersSpec) -> None:
        self._work, self._asked = work, asked
        self.told = told_before(work.resumed, "item")
        prompts = sum(1 for _ in read(Path(asked.prompts)))
        sources = asked.sources
        places = range(len(sources))
        taken = min(AT_ONCE.get(asked.mode, len(sources)), len(sources))
        self._teams = list(combinations(places, taken))
        answers = sum(one.best_of for one in sources)
        each = answers if asked.every_pair else answers * taken // len(sources)
        self._progress = Progress(work, each * prompts, each * len(self.told))
        self._writers: list[Writer] = []
        for place, source in enumerate(sources):
            first = sum(one.source.best_of for one in self._writers if one.alike(source))
            own = replace(work, report=self._progress.of(place))
            self._writers.append(Writer(own, source, place, first))

    @property
    def most(self) -> int:
        bases = {model.path for model in self._work.models.values()}
        return MOST if len(bases) < 2 else MOST_OF_SEVERAL

    def write(self, batch: Sequence[Prompt]) -> int:
        """Have a batch answered, and tell its items; returns how many prompts got none."""
        teams = {prompt.row: self._teams_for(prompt.row) for prompt in batch}
        for place, writer in enumerate(self._writers):
            writer.fetch([one for one in batch if any(place in team for team in teams[one.row])])
        failed = 0
        for prompt in batch:
            items = [self._item(prompt, team) for team in teams[prompt.row]]
            if any(item is None for item in items):
                failed += 1
                continue
            for number, item in enumerate(items, start=1):
                # The last one says that the prompt is done with.
                done = {"row": prompt.row} if number == len(items) else {}
                self._work.tell("item", **done, **(item or {}))
                self._progress.items += 1
        return failed

    def check(self) -> None:
        for writer in self._writers:
            writer.check()

    def _teams_for(self, row: int) -> list[tuple[int, ...]]:
        """The sources that answer this prompt together: balanced over the prompts, and seeded."""
        if self._asked.every_pair or len(self._teams) == 1:
            return self._teams
        turn, place = divmod(row - 1, len(self._teams))
        order = Random(f"{self._asked.seed}/{turn}").sample(self._teams, len(self._teams))
        return [order[place]]

    def _item(self, prompt: Prompt, team: tuple[int, ...]) -> dict[str, Any] | None:
        """The fields of an item, or why it is left out; None if an answer is missing."""
        writers = [self._writers[place] for place in team]
        systems = {writer.source.system for writer in writers}
        asked = with_system(prompt.messages, systems.pop()) if len(systems) == 1 else prompt.messages
        answers: list[dict[str, Any]] = []
        for writer in writers:
            made = writer.answers(prompt)
            if made is None or isinstance(made, str):
                return None if made is None else {"dropped": made}
            answers += made
        return {"prompt": asked, "answers": answers}


class Writer:
    """One source: its answers to prompts."""

    def __init__(self, work: Work, source: AnswerSource, place: int, first: int) -> None:
        """``first``: answers to the same question that sources of the same model take before it."""
        self.source, self._first = source, first
        sampling = Sampling.of(source)
        name = f"source_{place}"
        self._model = work.models.get(name)
        here = self._model is not None
        engine: Engine = local(work, name) if here else ServiceEngine(named_service(work, source.service))
        self._answers = Answers(work, engine, sampling, in_parts=True)

    def alike(self, other: AnswerSource) -> bool:
        """Whether it is the same model: drawn with the same random numbers its answers would be alike."""
        return (self.source.model, self.source.service) == (other.model, other.service)

    @cached_property
    def _rewards(self) -> rewards.Scores:
        source = self.source
        return rewards.stored_scores(source.reward, source.reward_options, source.setting)

    def fetch(self, prompts: Sequence[Prompt]) -> None:
        questions = [question for prompt in prompts for question in self._questions(prompt)]
        self._answers.fetch(iter(questions), len(questions))

    def check(self) -> None:
        self._answers.check()

    def _questions(self, prompt: Prompt) -> list[Question]:
        question = Question(with_system(prompt.messages, self.source.system), 0)
        return several(question, self._first + self.source.best_of)[self._first :]

    def answers(self, prompt: Prompt) -> list[dict[str, Any]] | str | None:
        """What it answers: one text, or the best and the worst of several; or why that cannot be said."""
        questions = self._questions(prompt)
        texts = [answer.text.strip() for one in questions if (answer := self._answers(one)) is not None]
        if len(texts) < len(questions):
            return None
        if self.source.best_of < 2:
            return [self._told(texts[0], self.source.name)]
        different = list(dict.fromkeys(text for text in texts if text))
        if len(different) < 2:
            return "identical"
        asked = question_text(prompt.messages)
        values = self._rewards([(asked, text, prompt.record) for text in different])
        # What a reward fails on is neither the best nor the worst answer.
        known = zip(values, different, strict=True)
        scored = sorted(
            (value, text)
            for value, text in known
            if not isinstance(value, Exception) and math.isfinite(value)
        )
        if len(scored) < 2:
            return "unscored"
        if scored[0][0] == scored[-1][0]:
            return "same_score"
        names = (f"{self.source.name}: best", f"{self.source.name}: worst")
        return [
            self._told(text, name) for (_, text), name in zip((scored[-1], scored[0]), names, strict=True)
        ]

    def _told(self, text: str, name: str) -> dict[str, Any]:
        return {"text": text, "source": name, "model": self._model.id if self._model else None}


class Progress:
    """Adds up what the writers report, each of which knows its own answers only."""

    def __init__(self, work: Work, total: int, done: int) -> None:
        self._work, self._total, self._done = work, total, done
        self.items = 0

        self._figures: dict[int, dict[str, float]] = {}

    def of(self, place: int) -> Callable[[int, int | None, dict[str, float]], None]:
        """What one writer reports to."""

        def report(_: int, __: int | None, figures: dict[str, float]) -> None:
            self._done += 1
            self._figures[place] = figures
            summed: Counter[str] = sum(map(Counter, self._figures.values()), Counter())
            self._work.report(self._done, self._total, {**summed, "items": float(self.items)})

        return report
