"""How a run ended: from its exit record and the worker's last word to a state, a cause and a detail."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio_core.base.states import Cause, State, Stop
from studio_core.runs import run_folder

# Bytes. The last word is among the last lines; even after long samples a megabyte holds it.
_TAIL = 1 << 20


@dataclass(frozen=True)
class Ending:
    state: State
    cause: Cause | None = None
    detail: str | None = None
    """What only this run knows: a message, an exit code, a signal. The page has a sentence for the cause."""


TEMPLATE_TOO_SLOW = (
    "the model's chat template took more than a minute for one conversation and was stopped. "
    "Correct its chat_template.jinja, or choose another model"
)
"""Of a worker that the alarm of ``jobs.template_time`` has ended."""


def of_exit(
    record: dict[str, Any], last_word: dict[str, Any] | None, log_line: str, service: bool = False
) -> Ending:
    """Of a run with an exit record; a ``service`` ends well though it makes nothing.

    What the worker said last wins: a whole model is there once it reported a result, even if
    a cancel came in the same instant or the process crashed while it was being torn down.
    """
    # The order of the questions is the contract: what the worker reported, then
    # what the user wanted, then what the exit code leaves to guess.
    word = last_word or {}
    if word.get("type") == "result":
        return _of_result(word, record)
    stop, code = record["stop"], record["returncode"]
    # Before the error: a worker that is killed may report one on its way down.
    if stop == Stop.CANCEL:
        return Ending(State.CANCELLED, Cause.CANCELLED)
    if word.get("type") == "error":
        return Ending(State.FAILED, _cause(word.get("cause")), str(word.get("message", "")))
    if record.get("timed_out"):
        return Ending(State.FAILED, Cause.TIMED_OUT, "nothing could be saved in time")
    if stop == Stop.SAVE and service:
        return Ending(State.SUCCEEDED, Cause.STOPPED)
    if stop == Stop.SAVE:
        detail = (
            "killed after the time for saving was over" if record["forced"] else "nothing was trained yet"
        )
        return Ending(State.CANCELLED, Cause.CANCELLED, detail)
    if code == 0 and service:
        return Ending(State.SUCCEEDED, Cause.IDLE)
    # The kernel counts for the whole machine, so that this may be a
    # neighbour's; together with SIGKILL it is nearly always ours.
    if record["signal"] == "SIGKILL" and record.get("oom_kills"):
        return Ending(State.FAILED, Cause.OUT_OF_MEMORY_HOST, record["signal"])
    if record["signal"] == "SIGALRM":
        return Ending(State.FAILED, Cause.ERROR, TEMPLATE_TOO_SLOW)
    if record["signal"]:
        return Ending(State.FAILED, Cause.KILLED, record["signal"])
    return Ending(State.FAILED, Cause.ERROR, f"exit code {code}: {log_line}")


def of_loss(last_word: dict[str, Any] | None, rebooted: bool) -> Ending:
    """Of a run whose supervisor left no exit record."""
    word = last_word or {}
    # A model appears by rename before its result is reported, so that it is
    # whole though nobody lived to write the exit record.
    if word.get("type") == "result":
        return _of_result(word, {"stop": None})
    if rebooted:
        return Ending(State.INTERRUPTED, Cause.HOST_REBOOTED)
    return Ending(State.INTERRUPTED, Cause.SUPERVISOR_LOST)


def _of_result(word: dict[str, Any], record: dict[str, Any]) -> Ending:
    if word.get("state") == "elsewhere":
        return Ending(State.SUCCEEDED, Cause.ELSEWHERE, str(word.get("by", "")))
    # A time limit is a cause of its own, since nobody pressed a button.
    if word.get("state") == "stopped":
        return Ending(State.SUCCEEDED, Cause.TIMED_OUT if record.get("timed_out") else Cause.STOPPED)
    if record["stop"] == Stop.CANCEL:
        return Ending(State.SUCCEEDED, None, "it had finished before the cancel reached it")
    return Ending(State.SUCCEEDED)


def _cause(name: object) -> Cause:
    return next((cause for cause in Cause if cause.value == name), Cause.ERROR)


def last_word(run_dir: Path) -> dict[str, Any] | None:
    """The worker's own last word: its newest ``result`` or ``error`` event, if it had one."""
    path = run_dir / run_folder.EVENTS
    if not path.exists():
        return None
    with open(path, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
        lines = file.read(_TAIL).split(b"\n")
    for line in reversed(lines):
        # Nearly all lines are metrics, and only what may be the last word is parsed.
        if b'"result"' not in line and b'"error"' not in line:
            continue
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and event.get("type") in ("result", "error"):
            return event
    return None
