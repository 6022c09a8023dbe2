"""Questions of a whole dataset: what is known already is not asked again, the rest is asked and kept.

An operation fetches the answers to all its questions first, in whatever order they come, and goes through
its records afterwards. So what is made does not depend on who answered first, and a stopped job makes a
version of the records whose answers are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from jobs.curation.store import Store
from jobs.generation.answering import Engine, Failure, Question, answers
from jobs.generation.engines.service import ServiceEngine
from jobs.generation.tally import GIVE_UP, Tally
from studio_core.base.errors import BadInput, StudioError
from studio_core.curation.asking import AskingOptions
from studio_core.curation.base import Work
from studio_core.generation import judging, services
from studio_core.generation.asking import Answer
from studio_core.generation.sampling import Sampling

OF_NO_USE = 50
"""Answers without a single one that can be read before a job ends, rather than pay for more."""


class Answers:
    """The answers of one engine. ``fetch`` the questions, then look them up one by one."""

    def __init__(
        self,
        work: Work,
        engine: Engine,
        sampling: Sampling,
        read: Callable[[Answer], bool] | None = None,
        *,
        in_parts: bool = False,
    ) -> None:
        """``read``: whether an answer is of use; if the first many are not, none will be.

        ``in_parts``: the questions are fetched a few at a time, and ``check`` is called after the last.
        """
        if work.answers is None:
            raise BadInput("options.conflict", owner="answers", reason="no folder for answers")
        self._work, self._engine, self._sampling = work, engine, sampling
        self._store = Store(work.answers, engine.identity(sampling))
        self._tally = Tally(engine.name, engine.prices)
        self._read, self._of_use, self._of_no_use = read, 0, 0
        self._in_parts, self._in_a_row, self._place = in_parts, 0, -1

    def fetch(self, questions: Iterable[Question], total: int, done: int = 0) -> None:
        """Have them answered; ``total`` questions are asked in this job in all, ``done`` of them before these."""
        tallies: list[dict[str, Any]] = self._work.details.setdefault("answers", [])
        if self._place < 0:
            self._place = len(tallies)
            tallies.append(self._tally.document())
        self._done, self._total = done, total
        try:
            for question, outcome in answers(
                self._engine, self._unknown(questions), self._sampling, self._work.stopping
            ):
                if isinstance(outcome, Failure):
                    self._in_a_row += 1
                    self._tally.count_failure(outcome)
                    if self._in_a_row >= GIVE_UP:
                        raise trouble(self._engine, outcome.said, self._in_a_row)
                else:
                    self._in_a_row = 0
                    self._keep(question, outcome)
                self._tell()
        finally:
            tallies[self._place] = self._tally.document()
        if not self._in_parts:
            self.check()

    def check(self) -> None:
        """Raise why all questions failed, if they did."""
        if self._tally.failed and not self._tally.asked and not self._tally.cached:
            raise trouble(self._engine, next(iter(self._tally.reasons), ""), self._tally.failed)

    def __call__(self, question: Question) -> Answer | None:
        known = self._store.get(question.key)
        if known is None:
            return None
        return Answer(
            known["text"],
            known["reason"],
            known["in"],
            known["out"],
            first_token=known.get("first_token", {}),
        )

    def _unknown(self, questions: Iterable[Question]) -> Iterator[Question]:
        """Those that must be asked, each once."""
        met: set[str] = set()
        for question in questions:
            key = question.key
            if key in met:
                self._done += 1
                continue
            met.add(key)
            known = self._store.get(key)
            if known is None:
                yield question
            else:
                self._tally.cached += 1
                self._tally.saved_in += known["in"]
                self._tally.saved_out += known["out"]
                self._tell()

    def _keep(self, question: Question, answer: Answer) -> None:
        known = {
            "text": answer.text,
            "reason": answer.reason,
            "in": answer.tokens_in,
            "out": answer.tokens_out,
            **({"first_token": dict(answer.first_token)} if answer.first_token else {}),
        }
        self._store.put(question.key, known)
        if self._read is not None:
            self._of_use += self._read(answer)
            self._of_no_use += not self._read(answer)
            if not self._of_use and self._of_no_use >= OF_NO_USE:
                raise StudioError("generation.of_no_use", who=self._engine.name, said=answer.text[:200])
        self._tally.count(answer)

    def _tell(self) -> None:
        tally = self._tally
        self._done += 1
        figures = {
            "answers_asked": tally.asked,
            "answers_cached": tally.cached,
            "answers_failed": tally.failed,
            "answers_tokens": tally.tokens_in + tally.tokens_out,
        }
        if any(tally.prices):
            figures["answers_cost"] = round(tally.cost, 6)
        self._work.report(self._done, self._total, figures)


def readable(answer: Answer) -> bool:
    """Whether a judge's reply is a score."""
    return judging.score(answer.text) is not None


def engine(work: Work, options: AskingOptions, model: str = "model", service: str = "service") -> Engine:
    """Who answers: what the options of these two names say."""
    if model in work.models:
        return local(work, model)
    chosen = named_service(work, getattr(options, service))
    return ServiceEngine(
        chosen, at_once=options.concurrency, retries=options.retries, timeout=options.timeout
    )


def named_service(work: Work, name: str) -> services.Service:
    """A service of the settings by its name."""
    if work.services is None:
        raise BadInput("generation.no_service", name=name, known="-")
    return services.get(work.services, name)


def local(work: Work, name: str) -> Engine:
    """The model that the options have under this name."""
    # Only here: torch takes seconds to load, and a service does not need it.
    from jobs.generation.engines import loop

    return loop.LoopEngine(loop.models(), work.models[name])


def trouble(engine: Engine, said: str, failures: int) -> StudioError:
    """What to say when question after question fails."""
    return StudioError("generation.gives_up", who=engine.name, count=failures, said=said)
