"""One generation at a time, for as long as somebody wants it: what the requests of the chat server share."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from jobs.generation.models import Models
from jobs.generation.sides import Event, Side, answer
from jobs.generation.twins import Twins
from studio_core.base.errors import StudioError
from studio_core.generation.sampling import Sampling
from studio_core.runs.spec import ResolvedModel

log = logging.getLogger(__name__)

# A queue of minutes: who comes later is told at once instead of waiting in vain.
_MOST_WAITING = 16


class Turns:
    """One generation at a time, in the order of asking; a bounded number may wait."""

    def __init__(self, most: int = _MOST_WAITING) -> None:
        self._most = most
        self._queue: deque[object] = deque()
        self._moved = threading.Condition()

    def full(self) -> bool:
        return len(self._queue) > self._most

    def wanted(self) -> bool:
        """Whether somebody waits behind the one whose turn it is."""
        return len(self._queue) > 1

    @contextmanager
    def turn(self, gave_up: Callable[[], bool]) -> Iterator[bool]:
        """Waits for the turn; gives False if the one who asked went away meanwhile."""
        ticket = object()
        with self._moved:
            self._queue.append(ticket)
        try:
            with self._moved:
                while not (mine := self._queue[0] is ticket) and not gave_up():
                    self._moved.wait(0.1)
            yield mine
        finally:
            with self._moved:
                self._queue.remove(ticket)
                self._moved.notify_all()


class Desk:
    """Models, turns, the generations that go on, and the time of the last request."""

    def __init__(
        self, models: Models, known: Sequence[ResolvedModel] = (), twins: Path | None = None
    ) -> None:
        self.models = models
        self.turns = Turns()
        self.closing = threading.Event()
        self.twins = twins and Twins(twins, self._turn, self.turns.wanted)
        """Where a folder for them is given: on a CPU few rows of small models are computed by llama.cpp."""
        self.known = {model.name: model for model in known}
        """Models that were asked for or offered, by their names: OpenAI's clients know no more of them."""
        self._stopped: dict[str, set[int]] = {}
        """Sides that are to end, of the generations that go on, by their keys."""
        self._busy = 0
        self._last = time.monotonic()
        self._counting = threading.Lock()

    def _turn(self) -> AbstractContextManager[bool]:
        return self.turns.turn(self.closing.is_set)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """While a request is answered the server is not idle."""
        with self._counting:
            self._busy += 1
        try:
            yield
        finally:
            with self._counting:
                self._busy -= 1
                self._last = time.monotonic()

    def idle_for(self) -> float:
        """Seconds without a request."""
        with self._counting:
            return 0.0 if self._busy else time.monotonic() - self._last

    def answer(
        self, sides: Sequence[Side], sampling: Sampling, gone: Callable[[], bool], key: str = ""
    ) -> Generator[Event]:
        """The events of one request, once it is its turn. It ends when whoever asked is ``gone``."""
        stopped: set[int] = set()
        if key:
            self._stopped[key] = stopped

        def cancelled() -> bool:
            return self.closing.is_set() or gone()

        try:
            with self.counted(), self.turns.turn(cancelled) as mine:
                if mine:
                    self.known.update({side.model.name: side.model for side in sides})
                    yield from answer(self.models, sides, sampling, cancelled, stopped.__contains__)
                    if self.twins:
                        self.twins.consider(self.models, [side.model for side in sides])
        finally:
            self._stopped.pop(key, None)

    def offer(self, models: Sequence[ResolvedModel]) -> None:
        """From now on these are known by their names; to say so counts as a request."""
        with self.counted():
            self.known.update({model.name: model for model in models})

    def stop(self, key: str, side: int) -> bool:
        """End one side of the generation with this key; whether there is one."""
        sides = self._stopped.get(key)
        if sides is not None:
            sides.add(side)
        return sides is not None

    def preload(self, wanted: Sequence[ResolvedModel]) -> None:
        """Load models before they are asked for; one that fails says why when it is asked for."""
        with self.counted(), self._turn() as mine:
            for model in wanted if mine else ():
                try:
                    self.models.open(model)
                except StudioError as error:
                    log.warning("%s", error)
            if mine and self.twins:
                self.twins.recall(self.models, wanted)
