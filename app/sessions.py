"""Gradio's sessions, one for each page that is open: whose each is, and how many somebody may have.

A browser makes up the name of its session. Whoever uses a name first is its owner, and
nobody else may use it: not to run something in it, listen to it, cancel in it or end it.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

from gradio import Blocks, route_utils, state_holder
from gradio.queueing import Queue
from gradio.state_holder import SessionState

from app.guard import Refused

MOST = 20
"""Sessions of one account: more tabs than somebody keeps in view. With one more the one least lately used ends."""
EVENTS = 12
"""Events of one account that wait, run, or have an answer that nobody has fetched yet. A page has two or three."""
PATIENCE = 10.0
"""Seconds that an event waits to be let into the queue."""
UNHEARD = 20.0
"""Seconds after which the events of a session are dropped whose page does not listen: it was closed."""

# Gradio's own have some ten letters; the name comes from a browser and is the key of dictionaries.
_NAME = re.compile(r"[\w-]{1,64}", re.ASCII)


@dataclass
class Session:
    """An open page."""

    owner: str
    streams: int = 0
    """How many connections listen."""
    heard_at: float = field(default_factory=time.monotonic)
    """When the page last asked for something, or stopped to listen."""

    @property
    def gone(self) -> bool:
        return not self.streams and time.monotonic() - self.heard_at > UNHEARD


class Sessions:
    """Those of one application."""

    def __init__(self) -> None:
        self.known: OrderedDict[str, Session] = OrderedDict()
        """In the order in which they were last used."""
        self.demo: Any = None

    def learn(self, demo: Blocks) -> None:
        """The pages whose sessions these are."""
        self.demo = demo

    async def enter(self, owner: str, name: object) -> Session:
        """The session of that name, made if there is none; refuses that of somebody else."""
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise Refused(HTTPStatus.BAD_REQUEST, "shell.refused_session")
        session = self.known.get(name)
        if session is None:
            mine = [other for other, one in self.known.items() if one.owner == owner]
            # The least lately used one that no page listens to; only if all are listened to, one of these.
            if len(mine) >= MOST:
                unheard = [other for other in mine if not self.known[other].streams]
                await self._end((unheard or mine)[0])
            session = self.known.setdefault(name, Session(owner))
        if session.owner != owner:
            raise Refused(HTTPStatus.FORBIDDEN, "shell.refused_session")
        self.known.move_to_end(name)
        session.heard_at = time.monotonic()
        return session

    async def room_for_event(self, owner: str) -> None:
        """Wait until another event of that owner may join the queue."""
        deadline = time.monotonic() + PATIENCE
        while self._events(owner) >= EVENTS:
            for name, session in list(self.known.items()):
                if session.owner == owner and session.gone:
                    await self.silence(name)
            if time.monotonic() > deadline:
                raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "shell.refused_often")
            # Seconds: unnoticed by a person, and cheap for a dozen that wait.
            await asyncio.sleep(0.05)

    async def silence(self, name: str) -> None:
        """Drop what waits to be run or told in a session to which nobody listens any more."""
        queue = self.demo._queue
        # Gradio keeps answers for a page that may come back; ours is closed.
        await queue.clean_events(session_hash=name)
        queue.pending_messages_per_session.pop(name, None)
        for event in queue.pending_event_ids_session.pop(name, ()):
            queue.event_ids_to_events.pop(event, None)

    async def _end(self, name: str) -> None:
        self.known.pop(name, None)
        await self.silence(name)
        holder = self.demo.state_holder
        holder.delete_state(name)
        holder.session_data.pop(name, None)
        holder.time_last_used.pop(name, None)

    def _events(self, owner: str) -> int:
        waiting = self.demo._queue.pending_event_ids_session
        return sum(
            len(waiting.get(name, ())) for name, session in self.known.items() if session.owner == owner
        )


class LightSession(SessionState):
    """A session that describes a component when it first changes, not all thousand of them when a page is opened.

    Only Gradio's deep links, which no page of ours offers, need them all. It takes 0.1 ms instead of 260.
    """

    def __init__(self, blocks: Blocks) -> None:
        super().__init__(SimpleNamespace(default_config=blocks.default_config, blocks={}))  # type: ignore[arg-type]


def install() -> None:
    """Have Gradio make light sessions, and no statistics of its last 10,000 events, which nobody is shown."""
    state_holder.SessionState = route_utils.SessionState = LightSession  # type: ignore[misc]
    Queue.compute_analytics_summary = lambda *_: {}  # type: ignore[method-assign]
