"""Events that are also said in the worker's log, in words, for whoever reads along."""

from __future__ import annotations

import time
from typing import Any

from studio_core.runs.run_folder import EventWriter
from studio_core.texts import text

EVERY = 10.0
"""Seconds between two lines of progress."""


class SpokenEvents(EventWriter):
    _next = 0.0

    def write(self, type: str, **fields: Any) -> None:
        super().write(type, **fields)
        if type == "metrics" and (time.monotonic() < self._next or fields["values"].get("loss") is None):
            return
        line = _line(type, fields)
        if line:
            print(time.strftime("%H:%M:%S"), line, flush=True)
        if type == "metrics":
            self._next = time.monotonic() + EVERY


def _line(type: str, fields: dict[str, Any]) -> str:
    match type:
        case "phase":
            return str(fields["phase"])
        case "metrics":
            return f"step {fields['step']} of {fields['total_steps']}, loss {fields['values']['loss']:.4g}"
        case "checkpoint":
            return f"checkpoint at step {fields['step']}, {fields['bytes'] / 1e6:.1f} MB"
        case "notice":
            return text(fields["key"], **fields["values"])
        case "sample":
            return f"{fields['when']}: {fields['prompt']!r} -> {fields['answer']!r}"
        case "result":
            return f"{fields['state']} after {fields['seconds']:.0f} s"
    return ""
