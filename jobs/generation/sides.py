"""From questions to a stream of events: what the chat server sends, and what offline generation reads.

    {"side": 0, "state": "loading"}                  its model is being read from disk
    {"side": 0, "text": "..."}                       the answer grew
    {"side": 0, "done": true, "prompt_tokens": n, "tokens": n, "seconds": s,
     "reason": "stop" | "length" | "cancelled"}    with "engine": who computed it, if not our decoding loop; or
                                                   "no_engine": {"key", "values"}, why it is that always
    {"side": 0, "error": sentence, "key": text key, "values": {...}}

Every side ends with exactly one ``done`` or ``error``; one that fails does not stop the others. Where several answers
to one question are wanted (``n``), each has its events, which say ``which``; one of the side without it holds for all.
Where ``logprobs`` are wanted, an event says those of the tokens that came since the one before it:

    {"side": 0, "text": "...", "logprobs": [{"token": "...", "logprob": nats,
     "top_logprobs": the same of the likeliest, where ``top_logprobs`` are wanted}]}
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from jobs.generation.decoding import advance
from jobs.generation.lane import Lane, Row
from jobs.generation.models import Models
from jobs.generation.twin_lane import TwinLane
from studio_core.base.errors import StudioError
from studio_core.data.shapes import Message
from studio_core.generation.sampling import Sampling
from studio_core.runs.spec import ResolvedModel

Event = dict[str, Any]


@dataclass(frozen=True)
class Side:
    """One model and the conversation that it is to continue."""

    model: ResolvedModel
    messages: list[Message]
    tools: list[Any] | None = None
    """Definitions of tools, as OpenAI writes them, for the model to read."""


def answer(
    models: Models,
    sides: Sequence[Side],
    sampling: Sampling,
    cancelled: Callable[[], bool] = lambda: False,
    stopped: Callable[[int], bool] = lambda side: False,
) -> Iterator[Event]:
    """All sides at once: those on one base in one batch, those on different bases in turn.

    ``cancelled`` ends all of them, ``stopped`` one by its index. Of ``n`` answers to a question the first is drawn by
    ``sampling.seed``, the next by the number after it, and so on: asked for alone, it would be the same.
    """
    rows: list[Row] = []
    n = sampling.n
    for index, side in enumerate(sides):
        if cancelled() or stopped(index):
            yield {"side": index, **_end(0, 0, 0.0, "cancelled")}
            continue
        try:
            if not models.loaded(side.model):
                yield {"side": index, "state": "loading"}
            opened = models.open(side.model, needed=[row.model.base for row in rows])
            prompt, ended = opened.prompt(side.messages, side.tools), partial(stopped, index)
            # Rows of one prompt are read once, however many answers it is to have.
            rows += [
                Row(index * n + which, opened, prompt, sampling, sampling.seed + which, ended)
                for which in range(n)
            ]
        except StudioError as error:
            yield failed(index, error)

    def broken(lane: Lane, error: Exception) -> None:
        if isinstance(lane, TwinLane):
            lane.give_up(error)
        else:  # A pass that raised may have left PEFT half-way between two adapters: load the base anew.
            models.forget(lane.base)
        for row in lane.rows:
            row.error = _named(row, error)

    reported = [0] * (len(sides) * n)
    for row, piece in advance(rows, cancelled, broken):
        side, which = divmod(row.side, n)
        head = {"side": side, "which": which} if n > 1 else {"side": side}
        if row.error:
            yield {**head, **failed(side, row.error)}
            continue
        events = [{"text": piece}] if piece else []
        if row.reason:
            end = _end(len(row.prompt), len(row.tokens), row.seconds, row.reason)
            events.append({**end, **_engine(row)})
        for event in events:
            yield {**head, **event, **_logprobs(row, reported[row.side])}
            reported[row.side] = len(row.tokens)


def _end(prompt_tokens: int, tokens: int, seconds: float, reason: str) -> Event:
    return {
        "done": True,
        "prompt_tokens": prompt_tokens,
        "tokens": tokens,
        "seconds": round(seconds, 4),
        "reason": reason,
    }


def _engine(row: Row) -> Event:
    """Who has computed it, where that is known to have been decided."""
    if row.by:
        return {"engine": row.by}
    why = row.model.why_no_twin
    return {"no_engine": {"key": why.key, "values": _values(why)}} if why else {}


def _logprobs(row: Row, start: int) -> Event:
    """Those of the tokens from ``start`` on, if they are wanted: the one that ends the answer is among them."""
    if not row.sampling.logprobs or start == len(row.tokens):
        return {}
    told = [_token(row, *pair) for pair in zip(row.tokens[start:], row.logprobs[start:], strict=True)]
    for token, others in zip(told, row.alternatives[start:], strict=False):
        token["top_logprobs"] = [_token(row, *pair) for pair in others]
    return {"logprobs": told}


def _token(row: Row, token: int, logprob: float) -> dict[str, Any]:
    return {"token": row.model.tokenizer.decode([token]), "logprob": logprob}


def failed(side: int, error: StudioError) -> Event:
    return {"side": side, "error": error.sentence(), "key": error.key, "values": _values(error)}


def _values(error: StudioError) -> dict[str, str]:
    return {name: str(value) for name, value in error.values.items()}


def _named(row: Row, error: Exception) -> StudioError:
    if isinstance(error, torch.OutOfMemoryError):
        return StudioError("chat.out_of_memory", model=row.model.name, device=row.model.base.device)
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
    return StudioError("chat.generation_failed", model=row.model.name, reason=reason)
