"""An answer of a service as it comes, piece by piece, as OpenAI's chat completions stream it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Any

import httpx

from studio_core.base.errors import StudioError
from studio_core.generation import asking
from studio_core.generation.asking import Connection
from studio_core.generation.sampling import Sampling
from studio_core.generation.services import Service

Event = dict[str, Any]
"""``{"text"}``, and at the end ``{"done", "tokens", "seconds", "reason"}``: as the chat worker's, of one side.

Tokens are 0 where the service does not count them: a piece may be one token or many.
``plain``: the service did not know the fields for top-p and seed, and was asked without them.
"""

LONGEST = 600.0
"""Seconds for all of an answer."""
# How soon a stop is heard: below what people feel as a wait.
_LOOK = 0.1
_UNKNOWN_FIELDS = (400, 422)
"""What services answer to fields that they do not know."""


def follow(
    service: Service,
    messages: Sequence[dict[str, str]],
    sampling: Sampling,
    take: Callable[[Event], None],
    cancelled: Callable[[], bool],
) -> None:
    """Give the events of one answer to ``take`` until it has ended or is ``cancelled``.

    Raises ``StudioError`` that says what came instead of an answer.
    """
    asyncio.run(_follow(Streaming(service, LONGEST, at_once=1), messages, sampling, take, cancelled))


async def _follow(
    connection: Streaming,
    messages: Sequence[dict[str, str]],
    sampling: Sampling,
    take: Callable[[Event], None],
    cancelled: Callable[[], bool],
) -> None:
    async def all_of_it() -> None:
        async for event in connection.events(messages, sampling):
            take(event)

    task = asyncio.ensure_future(all_of_it())
    started = time.monotonic()
    try:
        while not task.done() and not cancelled():
            if time.monotonic() - started > LONGEST:
                raise connection.refused(f"no end within {LONGEST:g} s")
            await asyncio.wait([task], timeout=_LOOK)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    finally:
        task.cancel()
        await connection.close()


class Streaming(Connection):
    """A connection that gives answers piece by piece."""

    async def events(self, messages: Sequence[dict[str, str]], sampling: Sampling) -> AsyncIterator[Event]:
        started = time.monotonic()
        forms = _forms(self.service.model, messages, sampling)
        try:
            for form in forms:
                address = f"{self.service.address}/chat/completions"
                async with self._client.stream("POST", address, json=form) as reply:
                    if reply.status_code in _UNKNOWN_FIELDS and form is not forms[-1]:
                        continue
                    async for event in self._read(reply):
                        yield {
                            **event,
                            "seconds": round(time.monotonic() - started, 4),
                            "plain": form is not forms[0],
                        }
                    return
        except (httpx.TransportError, httpx.InvalidURL, OSError) as error:
            raise self.refused(asking.failure(error)) from error

    async def _read(self, reply: httpx.Response) -> AsyncIterator[Event]:
        if reply.status_code != httpx.codes.OK:
            body = await asking.bounded(reply)
            said = self._said(reply.status_code, reply.headers, body)
            raise StudioError("generation.refused", service=self.service.name, said=said)
        try:
            if "text/event-stream" in reply.headers.get("content-type", ""):
                async for event in _pieces(reply):
                    yield event
            else:  # It does not stream.
                whole = asking.read(await asking.bounded(reply))
                yield {"text": whole.text}
                yield {"done": True, "tokens": whole.tokens_out, "reason": _reason(whole.reason)}
        except asking.Busy as error:
            raise self.refused(error.said) from error

    def refused(self, said: str) -> StudioError:
        return StudioError("generation.refused", service=self.service.name, said=self._clean(said))


def _forms(model: str, messages: Sequence[dict[str, str]], sampling: Sampling) -> list[dict[str, Any]]:
    """The question with all that is wanted, then with fields only that every service knows, by either name."""
    least = {
        "model": model,
        "messages": list(messages),
        "temperature": sampling.temperature,
        "stream": True,
    }
    limit = sampling.max_tokens
    more = {
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "stream_options": {"include_usage": True},
    }
    return [
        {**least, **more, "max_tokens": limit},
        {**least, "max_tokens": limit},
        {**least, "max_completion_tokens": limit},
    ]


async def _pieces(reply: httpx.Response) -> AsyncIterator[Event]:
    """What the lines of a stream say; ends with ``done``. A stream that broke off raises ``Busy``."""
    counted, reason = 0, ""
    async for line in _lines(reply):
        if not line.startswith("data:"):
            continue
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            reason = reason or "stop"
            break
        text, finish, used = _said_by(data)
        reason, counted = finish or reason, used or counted
        if text:
            yield {"text": asking.plain(text)}
    if not reason:
        raise asking.Busy("a stream that broke off")
    yield {"done": True, "tokens": counted, "reason": _reason(reason)}


async def _lines(reply: httpx.Response) -> AsyncIterator[str]:
    """Lines of a stream without their ends; a line may come in many pieces, and is looked through once."""
    begun = bytearray()
    async for piece in asking.pieces(reply):
        *whole, rest = piece.replace(b"\r", b"\n").split(b"\n")
        for line in whole:
            yield (begun + line).decode("utf-8", "replace")
            begun.clear()
        begun += rest
    yield begun.decode("utf-8", "replace")


def _said_by(data: str) -> tuple[str, str, int]:
    """Text, reason of the end and tokens of one line."""
    try:
        document = json.loads(data)
        if "error" in document:
            said = document["error"]
            raise asking.Busy(str(said.get("message", said) if isinstance(said, dict) else said))
        choice = (document.get("choices") or [{}])[0]
        text = (choice.get("delta") or {}).get("content")
        used = (document.get("usage") or {}).get("completion_tokens")
        finish = choice.get("finish_reason")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise asking.Busy("a stream that is no chat completion") from error
    return (
        text if isinstance(text, str) else "",
        str(finish or "")[:40],
        used if type(used) is int and 0 <= used < 10_000_000 else 0,
    )


def _reason(said: str) -> str:
    return "length" if said == "length" else "stop"
