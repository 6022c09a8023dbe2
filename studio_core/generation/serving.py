"""The chat worker as seen from outside: started when it is needed, asked over loopback, started again.

It is a job of kind ``serve`` like any other; when nobody asked for ``settings.serve_idle`` seconds
it ends by itself, and the next question starts another.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from studio_core.base import atomic
from studio_core.base.errors import StudioError
from studio_core.base.states import TERMINAL, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.generation.sampling import Sampling
from studio_core.runs import engine_process, queue, reasons, run_folder
from studio_core.runs.spec import ResolvedModel, ServeSpec

Event = dict[str, Any]
"""One line of the worker's answer: see ``jobs/generation/sides.py``."""

# A cold worker imports torch for some ten seconds, and may load a large model from a slow disk.
START_TIMEOUT = 180.0
# A worker that is told to end has its connections to close; after that it hangs.
_END_TIMEOUT = 20.0
_TIMEOUT = httpx.Timeout(connect=5.0, read=900.0, write=30.0, pool=5.0)


@dataclass(frozen=True)
class Address:
    """Where a chat worker listens, and the token that it wants."""

    port: int
    token: str

    @property
    def openai_url(self) -> str:
        """What OpenAI's clients call ``base_url``."""
        return f"http://127.0.0.1:{self.port}/v1"


@dataclass(frozen=True)
class Question:
    """One side of a request: a model, and the conversation that it is to continue."""

    model: ResolvedModel
    messages: list[dict[str, str]]


class ServerGone(StudioError):
    """The chat worker ended before it answered; asking again starts another."""


def ensure_server(studio: Studio) -> Job:
    """The chat worker's job: the live one, else a new one in the queue. Starts the engine if need be."""
    engine_process.ensure_engine(studio)
    newest = queue.all_jobs(studio, kind="serve", limit=8)
    current = next((job for job in newest if _usable(job)), None)
    if current is not None:
        return current
    spec = ServeSpec(idle_seconds=studio.settings.serve_idle)
    # The key lets two processes that find no worker at the same moment start only one.
    key = f"serve-after-{newest[0].id if newest else 0}"
    return queue.submit(studio, kind="serve", name=spec.name, spec=spec.model_dump(), idempotency_key=key)


def _usable(job: Job) -> bool:
    return job.state not in TERMINAL and job.state != State.STOPPING and not job.stop_request


def wait_ready(
    studio: Studio,
    job: Job,
    timeout: float = START_TIMEOUT,
    gave_up: Callable[[], bool] = lambda: False,
) -> Address:
    """Where the worker of ``job`` listens, as soon as it does.

    Raises ``ServerGone`` if the job ended, and ``StudioError`` with the reason if it still waits
    after ``timeout`` seconds or nobody wants the answer any more.
    """
    deadline = time.monotonic() + timeout
    while True:
        job = queue.get(studio, job.id)
        if job.state in TERMINAL:
            log = Path(job.run_dir or "") / run_folder.LOG
            raise ServerGone("chat.server_ended", job=job.id, reason=reasons.ending(job), log=log)
        found = atomic.read_json(Path(job.run_dir or "") / run_folder.SERVE)
        if found and job.state == State.RUNNING:
            return Address(found["port"], found["token"])
        if gave_up() or time.monotonic() > deadline:
            reason = reasons.waiting_reason(studio, job) or f"{job.state}, {job.phase or '-'}"
            raise StudioError("chat.server_waits", job=job.id, seconds=round(timeout), reason=reason)
        time.sleep(0.02)


def generate(
    studio: Studio,
    questions: Sequence[Question],
    sampling: Sampling,
    cancelled: Callable[[], bool] = lambda: False,
    *,
    key: str = "",
) -> Iterator[Event]:
    """Ask all sides at once; yields the worker's events as they come.

    Closing the iterator, or ``cancelled``, ends the generation; by the ``key`` one side of it can be stopped
    alone. A worker that went away before its first event is replaced once.
    """
    sides = [{"model": q.model.model_dump(), "messages": q.messages} for q in questions]
    body = {"sides": sides, "key": key, **sampling.model_dump()}
    for last_try in (False, True):
        job = ensure_server(studio)
        heard = False
        try:
            for event in _stream(wait_ready(studio, job, gave_up=cancelled), body):
                heard = True
                if cancelled():
                    return
                yield event
            return
        except (httpx.TransportError, ServerGone) as error:
            if heard or last_try:
                raise _named(job, error) from error
            _wait_for_end(studio, job)


def offer(studio: Studio, models: Sequence[ResolvedModel]) -> Address:
    """Where other programs reach these models by their names, in the form that OpenAI's clients speak.

    Counts as a request: said again before ``settings.serve_idle`` seconds are over, it keeps the worker. A worker that
    went away is replaced; then port and token are others. Errors as of ``wait_ready``.
    """
    body = {"models": [model.model_dump() for model in models]}
    for last_try in (False, True):
        job = ensure_server(studio)
        try:
            address = wait_ready(studio, job)
            headers = {"Authorization": f"Bearer {address.token}"}
            with httpx.Client(trust_env=False, timeout=_TIMEOUT, headers=headers) as client:
                reply = client.post(f"http://127.0.0.1:{address.port}/offer", json=body)
            if reply.status_code != httpx.codes.OK:
                raise StudioError("chat.server_refused", status=reply.status_code, reason=reply.text[:300])
            return address
        except (httpx.TransportError, ServerGone) as error:
            if last_try:
                raise _named(job, error) from error
            _wait_for_end(studio, job)
    raise AssertionError("unreachable")


def stop_side(studio: Studio, key: str, side: int) -> None:
    """End one side of the generation that has this ``key``, wherever it is by now."""
    job = next((job for job in queue.all_jobs(studio, kind="serve", limit=8) if _usable(job)), None)
    found = atomic.read_json(Path(job.run_dir or "") / run_folder.SERVE) if job else None
    if not found:
        return  # Nobody generates.
    headers = {"Authorization": f"Bearer {found['token']}"}
    with (
        httpx.Client(trust_env=False, timeout=_TIMEOUT, headers=headers) as client,
        suppress(
            httpx.TransportError  # The worker went away, and the generation with it.
        ),
    ):
        client.post(f"http://127.0.0.1:{found['port']}/stop", json={"key": key, "side": side})


def _stream(address: Address, body: dict[str, Any]) -> Iterator[Event]:
    headers = {"Authorization": f"Bearer {address.token}"}
    # No proxy of the environment may come between.
    with httpx.Client(trust_env=False, timeout=_TIMEOUT, headers=headers) as client:
        with client.stream("POST", f"http://127.0.0.1:{address.port}/generate", json=body) as reply:
            if reply.status_code != httpx.codes.OK:
                reply.read()
                raise StudioError("chat.server_refused", status=reply.status_code, reason=reply.text[:300])
            for line in reply.iter_lines():
                yield json.loads(line)


def _wait_for_end(studio: Studio, job: Job) -> None:
    """Until the engine has noticed that the worker is gone, or until it listens again."""
    deadline = time.monotonic() + _END_TIMEOUT
    while queue.get(studio, job.id).state not in TERMINAL and time.monotonic() < deadline:
        time.sleep(0.05)


def _named(job: Job, error: Exception) -> StudioError:
    if isinstance(error, StudioError):
        return error
    reason = str(error) or type(error).__name__
    return StudioError("chat.server_lost", job=job.id, reason=reason, log=f"{job.run_dir}/{run_folder.LOG}")
