"""Connections that open and then say nothing, or say it letter by letter, end soon."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD = 10.0
"""Seconds for the head of a request: far more than the slowest line needs for a few kilobytes."""


class TimedProtocol(H11Protocol):
    """Uvicorn's own, which ends idle connections but waits for the rest of a head for ever."""

    _ending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._let_be()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._let_be()  # The head is here; the guard watches over the body.
        elif self._ending is None:
            self._ending = self.loop.call_later(HEAD, self._end)

    def _let_be(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None

    def _end(self) -> None:
        self._ending = None
        # The rest may have come while the timer was on its way.
        if self.conn.their_state is h11.IDLE:
            self.transport.close()
