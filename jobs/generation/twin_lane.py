"""Rows whose logits llama.cpp computes: in the place of a batch of the decoding loop."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event, Thread

import torch

from jobs.generation.draws import chosen
from jobs.generation.lane import Lane, Row
from jobs.generation.llama_cpp import Context
from jobs.generation.twin import Twin, named


class TwinLane(Lane):
    """Rows of one model whose logits llama.cpp computes, each by itself: together they would take it longer."""

    def __init__(self, rows: Sequence[Row], twin: Twin, beside: bool = False) -> None:
        super().__init__(rows)
        self._all = list(rows)
        self._twin = twin
        self._contexts: list[Context] = []
        self._places = list(range(len(rows)))
        """Of the rows that go on: where their contexts and logits are."""
        self._all_logits = torch.empty(len(rows), twin.model.vocabulary)
        for row in rows:
            row.by = twin.by
        self._started = time.perf_counter()
        self._ahead = _Ahead(self) if beside else None

    def give_up(self, error: Exception) -> None:
        """After a pass that has raised: the decoding loop answers from now on."""
        opened = self.rows[0].model
        opened.base.twins[opened.adapter] = named(error, opened.name)

    def close(self) -> None:
        if self._ahead:
            self._ahead.close()

    @property
    def ready(self) -> bool:
        return self._ahead is None or self._ahead.ready

    def _chosen(self) -> tuple[list[int | None], torch.Tensor]:
        if self._ahead is None:
            return super()._chosen()
        return self._ahead.take(self._places)

    def _next(self) -> torch.Tensor:
        last = [row.tokens[-1] for row in self.rows] if self._contexts else []
        return self.compute(self._places, last)

    def compute(self, places: Sequence[int], last: Sequence[int]) -> torch.Tensor:
        """The logits after the prompts, or after the ``last`` token of each of these rows, ``(places, vocabulary)``."""
        if not self._contexts:
            self._read_all()
        else:
            for place, token in zip(places, last, strict=True):
                self._contexts[place].read([token], self._address(place))
        return self._all_logits if len(places) == len(self._all) else self._all_logits[list(places)]

    def choose(self, places: Sequence[int], logits: torch.Tensor) -> list[int | None]:
        return chosen(logits, [self._all[place] for place in places])

    def most(self, place: int) -> int:
        return self._all[place].most

    @property
    def tells_logits(self) -> bool:
        """Whether the logits are wanted once the next pass has written over them."""
        return any(row.sampling.logprobs for row in self._all)

    def _read_all(self) -> None:
        """The prompts; one that several rows continue is read once."""
        first: dict[tuple[int, ...], int] = {}
        for place, row in enumerate(self._all):
            self._contexts.append(Context(self._twin.model, len(row.prompt) + row.most))
            alike = first.setdefault(tuple(row.prompt), place)
            if alike == place:
                self._contexts[place].read(row.prompt, self._address(place))
            else:
                self._contexts[place].copy(self._contexts[alike])
                self._all_logits[place] = self._all_logits[alike]

    def _address(self, place: int) -> int:
        return self._all_logits.data_ptr() + place * self._all_logits.stride(0) * self._all_logits.itemsize

    def _go_on(self) -> None:
        self._places = [place for place, row in zip(self._places, self.rows, strict=True) if not row.reason]
        self.rows = [row for row in self.rows if not row.reason]
        if self._ahead:
            self._ahead.going = frozenset(self._places)


_MOST_AHEAD = 64
"""Tokens: some 20 ms of a small model, which is little to be computed for nothing."""


class _Ahead:
    """The tokens of a lane, computed in a thread of their own from the first to the last.

    A thread that is asked for each token by itself costs more than it saves: to wake it takes as long as a token. So
    it goes on by itself, some tokens ahead of what is made of them; what ends a row is found out there.
    """

    def __init__(self, lane: TwinLane) -> None:
        self._lane = lane
        self.going = frozenset(range(len(lane.rows)))
        """Places of the rows of which more is wanted."""
        self._passes: SimpleQueue[_Pass | Exception] = SimpleQueue()
        self._made = self._taken = 0
        self._room = Event()
        Thread(target=self.run, name="llama.cpp", daemon=True).start()

    def take(self, places: Sequence[int]) -> tuple[list[int | None], torch.Tensor]:
        """The next token of the rows at these places with its logits; raises what their pass has raised."""
        passed = self._passes.get()
        self._taken += 1
        # Not for each token: who wakes another thread that often waits for it as often.
        if self._made - self._taken <= _MOST_AHEAD // 2 and not self._room.is_set():
            self._room.set()
        if isinstance(passed, Exception):
            raise passed
        where = [passed.places.index(place) for place in places]
        return [passed.tokens[at] for at in where], passed.logits[where]

    def close(self) -> None:
        self.going = frozenset()
        self._room.set()

    @property
    def ready(self) -> bool:
        return not self._passes.empty()

    def run(self) -> None:
        try:
            # It is another thread, where gradients are on.
            with self._lane.base.without_gradients():
                self._run()
        except Exception as error:  # Raised where the tokens are taken.
            self._passes.put(error)

    def _has_room(self) -> bool:
        """Waits until few enough tokens are ahead; whether more of them are wanted."""
        if self._made - self._taken >= _MOST_AHEAD:
            self._room.clear()
            if self.going and self._made - self._taken >= _MOST_AHEAD:  # Taken or closed meanwhile?
                self._room.wait()
        return bool(self.going)

    def _run(self) -> None:
        places, last = sorted(self.going), list[int]()
        while self._has_room():
            kept = self._lane.compute(places, last)
            tokens = self._lane.choose(places, kept)
            self._made += 1
            self._passes.put(_Pass(places, tokens, kept.clone() if self._lane.tells_logits else kept))
            further = [
                (place, token)
                for place, token in zip(places, tokens, strict=True)
                if token is not None and place in self.going and self._made < self._lane.most(place)
            ]
            if not further:
                return
            places, last = [place for place, _ in further], [token for _, token in further]


@dataclass(frozen=True)
class _Pass:
    places: list[int]
    tokens: list[int | None]
    logits: torch.Tensor
