"""A service as an engine: asked several questions at once; what fails for the moment is asked again later."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from jobs.generation.answering import Failure, Outcome, Question, Stopping
from studio_core.generation.asking import Answer, Busy, Connection, Dialect, Unanswered
from studio_core.generation.sampling import Sampling
from studio_core.generation.services import Service

MOST_WAIT = 300.0
"""Seconds that a service may ask us to wait."""
LAST_WORDS = 3.0
"""Seconds that answers under way have left when the user stops."""
LOOK = 0.2
"""Seconds between two looks at whether the user has stopped."""


@dataclass
class ServiceEngine:
    """One service of the settings."""

    service: Service
    at_once: int = 8
    retries: int = 5
    timeout: float = 120.0
    first_wait: float = 1.0
    """Seconds before the second try; each further one waits twice as long."""
    retried: int = 0
    dialect: Dialect = field(default_factory=Dialect)
    """What it has refused of OpenAI's form so far."""
    _closed_until: float = field(default=0.0, repr=False)

    @property
    def name(self) -> str:
        return f"{self.service.name} ({self.service.model})"

    @property
    def prices(self) -> tuple[float, float]:
        return self.service.price_in, self.service.price_out

    def identity(self, sampling: Sampling) -> dict[str, Any]:
        drawn = sampling.identity
        return {"service": self.service.address, "model": self.service.model, "sampling": drawn}

    def answers(
        self, questions: Iterator[Question], sampling: Sampling, stopping: Stopping
    ) -> Iterator[Outcome]:
        loop = asyncio.new_event_loop()
        connection = Connection(self.service, self.timeout, self.at_once, self.dialect)
        asked: dict[asyncio.Task[Answer | Failure], Question] = {}

        def finished(wait: float) -> list[Outcome]:
            waiting = asyncio.wait(asked, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            done, _ = loop.run_until_complete(waiting)
            return [(asked.pop(task), task.result()) for task in done]

        try:
            while not stopping():
                while len(asked) < self.at_once and (question := next(questions, None)):
                    asked[loop.create_task(self._answer(connection, question, sampling))] = question
                if not asked:
                    return
                yield from finished(LOOK)
            until = loop.time() + LAST_WORDS
            while asked and (left := until - loop.time()) > 0:
                yield from finished(left)
        finally:
            for task in asked:
                task.cancel()
            if asked:
                loop.run_until_complete(asyncio.wait(asked))
            loop.run_until_complete(connection.close())
            loop.close()

    async def _answer(
        self, connection: Connection, question: Question, sampling: Sampling
    ) -> Answer | Failure:
        said = ""
        for trial in range(self.retries + 1):
            await self._open_again()
            try:
                return await connection.ask(question.messages, sampling)
            except Unanswered as refusal:
                return Failure(refusal.said)
            except Busy as busy:
                said = busy.said
                if trial == self.retries or (busy.wait or 0) > MOST_WAIT:
                    break
                self.retried += 1
                await self._wait(trial, busy.wait)
        return Failure(said)

    async def _wait(self, trial: int, asked: float | None) -> None:
        """As long as the service asks for, and then nobody asks it; else longer each time, never all at once."""
        if asked is not None:
            now = asyncio.get_running_loop().time()
            self._closed_until = max(self._closed_until, now + asked)
        else:
            await asyncio.sleep(min(60.0, self.first_wait * 2**trial) * random.uniform(0.5, 1.0))

    async def _open_again(self) -> None:
        while (left := self._closed_until - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(left)
