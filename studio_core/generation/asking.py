"""One question to a service: sent, answered and read, in bounded time and memory, whatever the service does.

Workers import this: no database here.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from studio_core.base.errors import StudioError
from studio_core.data.shapes import Message
from studio_core.generation.addresses import CheckedTransport, transport_for
from studio_core.generation.sampling import Sampling
from studio_core.generation.services import Service

MOST_BYTES = 8 << 20
"""Of one reply. The longest answers of today's models have a few hundred kilobytes."""
MOST_SAID = 300
"""Characters that are quoted of what a service says when it refuses."""

_NOT_THE_QUESTION = frozenset((401, 402, 403, 404, 405, 410))
"""Refusals that would be the same for any question: the key, the address or the model is wrong."""
_LATER = frozenset((408, 409, 425, 429))


@dataclass(frozen=True)
class Answer:
    text: str
    reason: str
    """``stop``, ``length`` or what else the service says."""
    tokens_in: int = 0
    tokens_out: int = 0
    logprobs: tuple[float, ...] | None = None
    """Of its tokens, in nats, if they were asked for and said."""
    first_token: Mapping[str, float] = field(default_factory=dict)
    """The likeliest first tokens with their log-probabilities, if they were asked for and said."""


class Busy(Exception):
    """Not now: the same question may be answered later. ``wait``: seconds that the service asks for."""

    def __init__(self, said: str, wait: float | None = None) -> None:
        super().__init__(said)
        self.said, self.wait = said, wait


class Unanswered(Exception):
    """The service will not answer this question, such as one that is too long for it."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


@dataclass
class Dialect:
    """How much of OpenAI's form a service has shown to know: what it refused once is not sent again."""

    limit_name: str = "max_tokens"
    logprobs: bool = True


class Connection:
    """A service with its open connections. ``async with``."""

    def __init__(
        self, service: Service, timeout: float = 120.0, at_once: int = 8, dialect: Dialect | None = None
    ) -> None:
        """``dialect``: what earlier connections have learnt, and this one adds to."""
        self.service, self._timeout = service, timeout
        self._dialect = dialect or Dialect()
        key = service.key.get_secret_value()
        headers = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "tunesmith"}
        limits = httpx.Limits(max_connections=at_once)
        # A proxy is not asked for what is near.
        checked = CheckedTransport(limits=limits) if service.local else transport_for(service.address, limits)
        self._client = httpx.AsyncClient(
            headers={**headers, **({"authorization": f"Bearer {key}"} if key else {})},
            timeout=httpx.Timeout(timeout, connect=min(15.0, timeout)),
            transport=checked,
            limits=limits,
            follow_redirects=False,
            trust_env=not service.local,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def ask(self, messages: Sequence[Message], sampling: Sampling) -> Answer:
        """The answer; raises ``Busy``, ``Unanswered``, or ``StudioError`` if any question would be refused.

        One of a service that refuses ``logprobs`` comes without them.
        """
        sent = replace(self._dialect)
        status, headers, body = await self._sent(messages, sampling, sent)
        # It may refuse one after the other.
        while (known := self._without_refused(sent, sampling, status, body)) != sent:
            sent = known
            status, headers, body = await self._sent(messages, sampling, sent)
        if status == 200:
            return read(body)
        said = self._said(status, headers, body)
        if status in _LATER or status >= 500:
            raise Busy(said, _retry_after(headers))
        if status in _NOT_THE_QUESTION or status < 400:
            raise StudioError("generation.refused", service=self.service.name, said=said)
        raise Unanswered(said)

    def _without_refused(self, sent: Dialect, sampling: Sampling, status: int, body: bytes) -> Dialect:
        """What to send instead; the same where nothing of the form was refused."""
        if status == 400 and sent.limit_name == "max_tokens" and b"max_completion_tokens" in body:
            # The newer name, and the only one some models know.
            self._dialect.limit_name = "max_completion_tokens"
            return replace(sent, limit_name="max_completion_tokens")
        # 400 of models that cannot, 403 of those that may not, 422 of servers that know no such field.
        if status in (400, 403, 422) and sampling.logprobs and sent.logprobs and b"logprobs" in body:
            self._dialect.logprobs = False
            return replace(sent, logprobs=False)
        return sent

    async def _sent(
        self, messages: Sequence[Message], sampling: Sampling, dialect: Dialect
    ) -> tuple[int, httpx.Headers, bytes]:
        asked: dict[str, Any] = {
            "model": self.service.model,
            "messages": [{"role": one["role"], "content": one["content"]} for one in messages],
            "temperature": sampling.temperature,
            dialect.limit_name: sampling.max_tokens,
            "stream": False,
        }
        if sampling.top_p < 1:
            asked["top_p"] = sampling.top_p
        # Not all services know these; one that does not says so rather than answer otherwise.
        more = {
            "top_k": sampling.top_k,
            "stop": list(sampling.stop),
            "logprobs": dialect.logprobs and sampling.logprobs,
            "top_logprobs": sampling.top_logprobs if dialect.logprobs else 0,
        }
        asked |= {name: value for name, value in more.items() if value}
        try:
            # One limit for all of it: a service that sends a byte now and then would pass any other.
            async with asyncio.timeout(self._timeout):
                address = f"{self.service.address}/chat/completions"
                async with self._client.stream("POST", address, json=asked) as reply:
                    return reply.status_code, reply.headers, await bounded(reply)
        except TimeoutError as error:
            raise Busy(f"no answer within {self._timeout:g} s") from error
        except (httpx.TransportError, httpx.InvalidURL, OSError) as error:
            raise Busy(self._clean(failure(error))) from error

    def _said(self, status: int, headers: httpx.Headers, body: bytes) -> str:
        """What a refusal says, in one line."""
        if 300 <= status < 400:
            return self._clean(f"HTTP {status}, redirect to {headers.get('location', '?')}")
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        error = document.get("error", document) if isinstance(document, dict) else None
        message = error.get("message") if isinstance(error, dict) else error
        text = message if isinstance(message, str) else body[: 4 * MOST_SAID].decode("utf-8", "replace")
        return self._clean(f"HTTP {status}: {text}")

    def _clean(self, text: str) -> str:
        """One short line without the key, which some services repeat."""
        if key := self.service.key.get_secret_value():
            text = text.replace(key, "***")
        return "".join(one if one.isprintable() else " " for one in " ".join(text.split()))[:MOST_SAID]


async def pieces(reply: httpx.Response) -> AsyncIterator[bytes]:
    """The body of a reply as it comes; raises ``Busy`` beyond ``MOST_BYTES``.

    Nothing is unpacked, since little can become much.
    """
    if reply.headers.get("content-encoding", "identity") not in ("identity", ""):
        raise Busy("a packed reply, though a plain one was asked for")
    size = 0
    async for piece in reply.aiter_raw():
        size += len(piece)
        if size > MOST_BYTES:
            raise Busy(f"a reply of more than {MOST_BYTES >> 20} MB")
        yield piece


async def bounded(reply: httpx.Response) -> bytes:
    """All of the body of a reply."""
    return b"".join([piece async for piece in pieces(reply)])


def failure(error: Exception) -> str:
    """What broke a connection: the error's name, and its own words where it has any (a reset has none)."""
    return (
        f"{type(error).__name__}: {error}" if str(error) else f"the connection broke ({type(error).__name__})"
    )


def read(body: bytes) -> Answer:
    """The first choice of a chat completion."""
    try:
        document = json.loads(body)
        choice = document["choices"][0]
        content = choice["message"].get("content")
        text = content if isinstance(content, str) else _joined(content)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise Busy("a reply that is no chat completion") from error
    usage = document.get("usage")
    return Answer(
        text=plain(text),
        reason=str(choice.get("finish_reason") or "stop")[:40],
        tokens_in=_tokens(usage, "prompt_tokens"),
        tokens_out=_tokens(usage, "completion_tokens"),
        logprobs=_logprobs(choice),
        first_token=_first_token(choice),
    )


def _logprobs(choice: dict[str, Any]) -> tuple[float, ...] | None:
    """What a choice says of its tokens, if it says it of all of them."""
    try:
        return tuple(float(token["logprob"]) for token in choice["logprobs"]["content"])
    except (KeyError, TypeError, ValueError):
        return None


def _first_token(choice: dict[str, Any]) -> dict[str, float]:
    """What a choice says of the tokens that might have stood first; nothing if that cannot be."""
    try:
        told = choice["logprobs"]["content"][0]["top_logprobs"]
        chances = {str(each["token"]): float(each["logprob"]) for each in told}
    except (KeyError, IndexError, TypeError, ValueError):
        return {}
    # A chance is at most 1; what is no number at all would spoil a sum of them.
    return {token: chance for token, chance in chances.items() if chance <= 0}


def _joined(content: Any) -> str:
    """The texts of a content in parts; no content is an empty answer."""
    if content is None:
        return ""
    return "".join(str(part["text"]) for part in content if part.get("type") == "text")


def plain(text: str) -> str:
    """Without what no file of records can hold: halves of letters, and zero characters."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "")


def _tokens(usage: Any, name: str) -> int:
    """What the service counted, if that can be."""
    count = usage.get(name) if isinstance(usage, dict) else None
    fits = isinstance(count, int) and not isinstance(count, bool) and 0 <= count < 10_000_000
    return int(count) if fits else 0  # type: ignore[arg-type]


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds that the service asks to wait: it names them, or a date."""
    given = headers.get("retry-after", "").strip()
    if given.isascii() and given.replace(".", "", 1).isdigit() and len(given) < 12:
        return float(given)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(given).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def ask_once(service: Service, messages: Sequence[Message], sampling: Sampling, timeout: float) -> Answer:
    """One answer, to try a service out; raises ``StudioError`` that says what came instead."""

    async def asked() -> Answer:
        connection = Connection(service, timeout, at_once=1)
        try:
            return await connection.ask(messages, sampling)
        finally:
            await connection.close()

    try:
        return asyncio.run(asked())
    except (Busy, Unanswered) as error:
        raise StudioError("generation.refused", service=service.name, said=error.said) from error


def ask_together(
    service: Service,
    questions: Sequence[Sequence[Message]],
    sampling: Sampling,
    timeout: float = 120.0,
    at_once: int = 8,
) -> list[Answer | StudioError]:
    """A few answers while somebody waits: each question is asked once. Where there is no answer, why."""

    async def asked() -> list[Answer | StudioError]:
        connection, room = Connection(service, timeout, at_once), asyncio.Semaphore(at_once)

        async def answer(messages: Sequence[Message]) -> Answer | StudioError:
            try:
                async with room:
                    return await connection.ask(messages, sampling)
            except (Busy, Unanswered) as error:
                return StudioError("generation.refused", service=service.name, said=error.said)
            except StudioError as error:
                return error

        try:
            return await asyncio.gather(*map(answer, questions))
        finally:
            await connection.close()

    return asyncio.run(asked())
