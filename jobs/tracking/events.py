"""A run's events as a tracker takes them: names of metrics as in TRL, answers of one moment together.

metrics   step, at (seconds since 1970), values: {"train/loss": number}
answers   step, at, rows: [{"when", "index", "prompt", "answer"}], of one step
notice    seq, at, text: in English
config    values: {name: number, text or bool}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from studio_core import texts
from studio_core.base.atomic import read_json
from studio_core.runs import run_folder

Event = dict[str, Any]

_PROGRESS = {"epoch": "train/epoch", "tokens": "train/num_tokens"}


def parsed(lines: Iterable[bytes]) -> Iterator[Event]:
    """The events of lines of ``events.jsonl``; what is none, or is torn, is passed over as the engine does."""
    for line in lines:
        try:
            event = json.loads(line, parse_constant=lambda _: None)
            if isinstance(event["type"], str) and isinstance(event["seq"], int):
                yield {**event, "at": datetime.fromisoformat(event["at"]).timestamp()}
        except (ValueError, KeyError, TypeError):
            continue


def told(events: Iterable[Event]) -> list[Event]:
    """What of them a tracker is told, in their order."""
    messages: list[Event] = []
    for (type, step), group in groupby(events, lambda event: (event["type"], event.get("step"))):
        if type == "sample":
            rows = [*group]
            names = ("when", "index", "prompt", "answer")
            answers = [{name: row.get(name, "") for name in names} for row in rows]
            messages.append({"type": "answers", "step": step, "at": rows[0]["at"], "rows": answers})
        else:
            messages += [message for event in group if (message := _told(event))]
    return messages


def _told(event: Event) -> Event | None:
    match event["type"]:
        case "metrics":
            values = {_named(name): value for name, value in event["values"].items()}
            values |= {name: event.get(field) for field, name in _PROGRESS.items()}
            # A null is a gap of the curve, and no tracker draws one.
            numbers = {name: value for name, value in values.items() if isinstance(value, int | float)}
            return {"type": "metrics", "step": event["step"], "at": event["at"], "values": numbers}
        case "notice":
            return {"type": "notice", "seq": event["seq"], "at": event["at"], "text": _sentence(event)}
        case "config":
            return {"type": "config", "values": flat(event["values"])}
        case _:
            return None


def _named(metric: str) -> str:
    """As transformers names it for all its trackers, so that runs of both stand in one chart."""
    held_out = metric.removeprefix("eval_")
    return f"train/{metric}" if held_out == metric else f"eval/{held_out}"


def _sentence(event: Event) -> str:
    try:
        return texts.text(str(event["key"]), **event.get("values", {}))
    except (KeyError, TypeError, ValueError):  # A key of a newer version, say.
        return f"{event.get('key')} {event.get('values', '')}"


def configuration(run_dir: Path) -> dict[str, Any]:
    """What the run was asked to do, by names that are the options' own."""
    document = read_json(run_dir / run_folder.SPEC) or {}
    spec = document.get("spec") or {}
    names = ("method", "tuning", "model", "dataset", "seed")
    asked = {name: spec[name] for name in names if spec.get(name) is not None}
    return flat({"run": run_dir.name, **asked, **(document.get("options") or {})})


def flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Nested values as ``outer.inner``, lists as JSON; what is not set is left out."""
    leaves: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            leaves |= flat(value, f"{before}{name}.")
        elif value is not None:
            leaves[before + name] = (
                value if isinstance(value, str | bool | int | float) else json.dumps(value)
            )
    return leaves
