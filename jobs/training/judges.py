"""Judges as rewards: a model of the studio or a service is asked about the answers of a step, many at once.

Nothing is asked twice in a run. What a judge fails to say is an error in the place of that answer's value; a service
that fails question after question is left alone until the next step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from jobs.generation.answering import Engine, Failure, Question, answers
from jobs.generation.engines.loop import LoopEngine, models
from jobs.generation.engines.service import ServiceEngine
from jobs.generation.tally import GIVE_UP, Tally
from jobs.training.course import Course
from jobs.training.loop import StepGivenUp
from studio_core.base.errors import BadInput
from studio_core.data.shapes import Message
from studio_core.generation import services
from studio_core.generation.sampling import greedy
from studio_core.rewards.judge import JudgeOptions, RankingOptions

# Three waits that double are 7 seconds: whatever lasts longer is over in one of the next steps, or the service is dead,
# and a run should not wait for it half a minute in each.
RETRIES = 3


class Judge:
    """Who judges, and what it has said in this run."""

    def __init__(
        self,
        engine: Engine,
        most_tokens: int,
        stopping: Callable[[], bool],
        max_calls: int = 0,
        spent: Callable[[int], None] = lambda calls: None,
    ) -> None:
        """``max_calls``: so many questions it may be asked in this process; 0: any number. ``spent`` is called with
        those it was asked where a step needs more: it has the run asked to end."""
        self._engine, self._sampling, self._stopping = engine, greedy(most_tokens), stopping
        self._max_calls, self._spent = max_calls, spent
        self._replies: dict[str, str] = {}
        self.tally = Tally(engine.name, engine.prices)

    def replies(self, asked: Sequence[list[Message]]) -> list[str | Exception]:
        """What it replies to each; raises ``StepGivenUp`` if the run is asked to end meanwhile, or may ask no more: a
        step of which half is scored would teach something else."""
        questions = [*map(Question, asked)]
        new = {each.key for each in questions} - self._replies.keys()
        calls = self.tally.asked + self.tally.failed
        if self._max_calls and calls + len(new) > self._max_calls:
            self._spent(calls)
            raise StepGivenUp
        failures: dict[str, Exception] = {}
        reason: Exception = self._silent("-")
        try:
            for question, failure in self._asked(questions):
                failures[question.key] = reason = self._silent(failure.said)
        except Exception as error:  # Such as a key that is refused or memory that is full: the same for all.
            reason = error
        if self._stopping():
            raise StepGivenUp
        return [
            self._replies[each.key] if each.key in self._replies else failures.get(each.key, reason)
            for each in questions
        ]

    def _asked(self, questions: Sequence[Question]) -> Iterator[tuple[Question, Failure]]:
        """Have those answered that are not known yet; the failures, of which only so many may come in a row."""
        new = {each.key: each for each in questions if each.key not in self._replies}
        self.tally.cached += len(questions) - len(new)
        in_a_row = 0
        outcomes = answers(self._engine, iter(new.values()), self._sampling, self._stopping)
        for question, outcome in outcomes:
            if isinstance(outcome, Failure):
                in_a_row += 1
                self.tally.count_failure(outcome)
                yield question, outcome
                if in_a_row == GIVE_UP:
                    return
            else:
                in_a_row = 0
                self.tally.count(outcome)
                self._replies[question.key] = outcome.text

    def _silent(self, said: str) -> Exception:
        return BadInput("rewards.judge_silent", judge=self._engine.name, reason=said)


def judge_of(course: Course[Any], options: JudgeOptions | RankingOptions) -> Judge:
    """Who judges for a reward: the service that its options name, else the model of the role.

    A model is loaded at once, so that one that cannot be ends the run before it begins.
    """
    engine: Engine
    if options.service:
        service = services.get(Path(course.run.services), options.service)
        engine = ServiceEngine(service, at_once=options.concurrency, retries=RETRIES)
    else:
        model = course.run.models["judge"]
        models().open(model)
        engine = LoopEngine(models(), model)
    return Judge(
        engine,
        options.judge_tokens,
        lambda: bool(course.stop),
        options.max_calls,
        lambda calls: _spent(course, engine.name, calls, options.max_calls),
    )


def _spent(course: Course[Any], judge: str, calls: int, limit: int) -> None:
    """The run ends with its last whole step, and says why."""
    if not course.stop:
        values = {"judge": judge, "calls": calls, "limit": limit}
        course.events.write("notice", level="warning", key="methods.notice.judge_spent", values=values)
    course.stop.ask()
