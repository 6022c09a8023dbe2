"""What other trainers reported, as reports of ours: where it lies in the folder, and what their names are called here.

A name that means the same here is ours, so that curves lie in one chart; every other one is kept as it is. The same
name with another meaning would be worse than none: a loss of one batch of several is not ``loss``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from studio_core.base.errors import BadInput
from studio_core.base.files import open_below
from studio_core.handover import event_files

_STATE_LIMIT = 256 << 20
"""Bytes of a ``trainer_state.json``: a million reports."""
_LINE_LIMIT = 1 << 20
_NAME_LIMIT = 120
"""Letters of a metric's name; the longest known is 60."""
_NAMES_LIMIT = 1000
"""Different metrics of a run: a GRPO run with ten rewards has a hundred."""
_HIGHEST_STEP = 1 << 40
_APART = {"step", "epoch", "num_tokens", "num_input_tokens_seen"}
"""What a report of Hugging Face's trainers says of itself."""


@dataclass
class Report:
    step: int
    values: dict[str, float | None]
    at: datetime | None = None
    epoch: float | None = None
    tokens: float | None = None


@dataclass
class Curves:
    """All that a run reported."""

    reports: dict[int, Report] = field(default_factory=dict)
    """By step. What was reported twice, by a run that was resumed, counts as it was reported last."""
    no_numbers: set[str] = field(default_factory=set)
    """Names that stood with something else than a number."""
    names: set[str] = field(default_factory=set)
    total_steps: int | None = None
    seconds: float | None = None
    """That the training took."""
    files: list[str] = field(default_factory=list)

    def add(
        self, step: Any, values: Mapping[str, Any], ours: Mapping[str, str], at: float | None = None
    ) -> Report:
        """One report; raises ``ValueError`` for a step that is none and for more names than anybody has."""
        if isinstance(step, bool) or not isinstance(step, int | float) or not 0 <= step < _HIGHEST_STEP:
            raise ValueError(f"step = {str(step)[:40]}")
        report = self.reports.setdefault(int(step), Report(int(step), {}))
        for name, value in values.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                self.no_numbers.add(_name(name))
                continue
            called = ours.get(name) or _name(name)
            self.names.add(called)
            report.values[called] = float(value) if math.isfinite(value) else None
        if len(self.names) > _NAMES_LIMIT:
            raise ValueError(f"more than {_NAMES_LIMIT} different metrics")
        if at is not None and 0 < at < 1e11:
            report.at = datetime.fromtimestamp(at, UTC).replace(tzinfo=None)
        return report


def _name(name: str) -> str:
    """As the trainer has it, in one line."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in str(name)).split())[:_NAME_LIMIT]


@dataclass(frozen=True)
class Log:
    """How a trainer keeps its metrics."""

    read: Callable[[Path, list[str], Mapping[str, str]], Curves]
    """``(folder, files below it, our names)``; raises ``ValueError``."""
    files: tuple[str, ...]
    """Where they may lie, as patterns below the folder."""

    def found(self, folder: Path) -> list[str]:
        """Paths below the folder, checkpoints in the order of their numbers."""
        found = [path for pattern in self.files for path in folder.glob(pattern) if path.is_file()]
        return [str(path.relative_to(folder)) for path in sorted(found, key=_in_order)]

    def curves(self, folder: Path, ours: Mapping[str, str]) -> Curves:
        """All that was reported, with our names by theirs where both mean the same; without files that is nothing.

        Raises ``BadInput`` with the file that cannot be read.
        """
        files = self.found(folder)
        try:
            curves = self.read(folder, files, ours)
        except (ValueError, RecursionError, OSError, KeyError, TypeError, AttributeError) as error:
            named = ", ".join(files[:3])
            raise BadInput(
                "handover.bad_metrics", folder=folder, files=named, reason=str(error)[:200]
            ) from error
        curves.files = files
        curves.total_steps = curves.total_steps or max(curves.reports, default=None)
        return curves


def _in_order(path: Path) -> list[tuple[int, str]]:
    parts = re.findall(r"[0-9]+|[^0-9]+", str(path))
    return [(int(part[:15]) if part[0] in "0123456789" else -1, part) for part in parts]


def trainer_state(folder: Path, files: list[str], ours: Mapping[str, str]) -> Curves:
    """``log_history`` of Hugging Face's ``TrainerState``, of the file that came furthest; each holds all before it."""
    states = [state for state in (_state(folder, name) for name in files) if state]
    curves = Curves()
    if not states:
        return curves
    state = max(states, key=lambda state: _whole(state.get("global_step")))
    curves.total_steps = _whole(state.get("max_steps")) or None
    for entry in state.get("log_history") or []:
        values = {name: value for name, value in entry.items() if name not in _APART}
        report = curves.add(entry.get("step"), values, ours)
        report.epoch = _finite(entry.get("epoch"))
        report.tokens = _finite(entry.get("num_tokens", entry.get("num_input_tokens_seen")))
        curves.seconds = _finite(entry.get("train_runtime")) or curves.seconds
    return curves


def _state(folder: Path, name: str) -> dict[str, Any]:
    with open_below(folder, name) as file:
        content = file.read(_STATE_LIMIT + 1)
    if len(content) > _STATE_LIMIT:
        raise ValueError(f"{name} has more than {_STATE_LIMIT >> 20} MB")
    state = json.loads(content)
    if not isinstance(state, dict):
        raise ValueError(f"{name} is no object")
    return state


def step_lines(folder: Path, files: list[str], ours: Mapping[str, str]) -> Curves:
    """Lines ``{"step": 3, "data": {name: number}}``, as verl's file logger writes them."""
    curves = Curves()
    for name in files:
        with open_below(folder, name) as file:
            for number, line in enumerate(iter(lambda: file.readline(_LINE_LIMIT), b""), start=1):
                if not line.endswith(
                    b"\n"
                ):  # Its writer was killed in the middle, or it is no line of a log.
                    if len(line) == _LINE_LIMIT:
                        raise ValueError(f"{name}, line {number}: more than 1 MB")
                    break
                try:
                    entry = json.loads(line)
                    curves.add(entry["step"], entry["data"], ours)
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    raise ValueError(f"{name}, line {number}: {error}") from error
    return curves


def tensorboard(folder: Path, files: list[str], ours: Mapping[str, str]) -> Curves:
    """Scalars of TensorBoard's event files, in the order in which the files were begun."""
    curves = Curves()
    times: list[float] = []
    for name in files:
        with open_below(folder, name) as file:
            for scalar in _scalars(file, name):
                curves.add(scalar.step, {scalar.tag: scalar.value}, ours, scalar.seconds)
                times.append(scalar.seconds)
    curves.seconds = max(times) - min(times) if times else None
    return curves


def _scalars(file: Any, name: str) -> Iterator[event_files.Scalar]:
    try:
        yield from event_files.scalars(file)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _whole(value: Any) -> int:
    return value if type(value) is int and 0 <= value < _HIGHEST_STEP else 0


def _finite(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) and math.isfinite(value) else None
