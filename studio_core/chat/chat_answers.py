"""The answers of a round: how they begin, how they grow with what a worker sends, and which attempt they are.

Answers are kept as ``Answer``, and those that failed with ``error`` (a sentence), ``key`` and ``values`` of its text.
``state`` is ``streaming``, ``stop`` (it ended by itself), ``length`` (cut at the limit), ``cancelled``,
``interrupted`` or ``error``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from studio_core.base.errors import Conflict, StudioError
from studio_core.base.tables import ChatRound
from studio_core.chat.chat_sides import Side
from studio_core.generation import serving


class Answer(TypedDict, total=False):
    """One side of a round, as it is stored."""

    model: Side
    name: str
    answer: str
    tokens: int
    seconds: float
    state: str
    seed: int
    error: str
    key: str
    values: dict[str, str]
    plain: bool
    """A service answered that knows neither top-p nor seed."""
    engine: str
    """The program that computed it, if it was not the studio's own loop."""
    no_engine: dict[str, Any]
    """Why that loop computes it always: ``key`` and ``values`` of a text."""
    earlier: list[Answer]
    """What this side had answered before it was asked again, oldest first."""


def pending(model: Side, name: str, seed: int) -> Answer:
    return {
        "model": model,
        "name": name,
        "answer": "",
        "tokens": 0,
        "seconds": 0.0,
        "state": "streaming",
        "seed": seed,
    }


def follow(answers: list[Answer], event: serving.Event) -> None:
    """Bring the answers of a round up to date with one event of the worker.

    Of a side that was stopped only the figures still count.
    """
    answer = answers[event["side"]]
    if answer["state"] != "streaming":
        if event.get("done"):
            # What was computed until the stop was heard has been computed, and speeds are told from it.
            answer.update({"tokens": event["tokens"], "seconds": event["seconds"]})
        return
    if "text" in event:
        answer["answer"] += event["text"]
    elif event.get("done"):
        answer.update({"tokens": event["tokens"], "seconds": event["seconds"], "state": event["reason"]})
        told = {name: event[name] for name in ("plain", "engine", "no_engine") if event.get(name)}
        answer.update(told)  # type: ignore[typeddict-item]
    elif "error" in event:
        answer.update(
            {
                "state": "error",
                "error": event["error"],
                "key": event.get("key", ""),
                "values": event.get("values", {}),
            }
        )


def failure(error: StudioError) -> Answer:
    """The fields of an answer that did not come."""
    # As texts, since a path or an exception is no JSON; the page puts
    # them into the sentence of its language.
    values = {name: str(value) for name, value in error.values.items()}
    return {"state": "error", "error": error.sentence(), "key": error.key, "values": values}


def attempt(answers: Sequence[Answer]) -> int:
    """Which answers of a round these are, by how many were asked for so far."""
    return sum(1 + len(answer.get("earlier", [])) for answer in answers)


def check_attempt(row: ChatRound, seen: int | None) -> None:
    """Raise ``Conflict`` if others have been asked for since somebody saw the answers of attempt ``seen``."""
    if seen not in (None, attempt(row.answers)):
        raise Conflict("chat.asked_again")


def next_seed(row: ChatRound, sides: Sequence[int]) -> int:
    """The seed after those that were used for these sides."""
    used = [row.answers[side].get("seed", row.settings["seed"]) for side in sides]
    # Round again after the largest seed that is allowed.
    return int((max(used) + 1) % 2**31)
