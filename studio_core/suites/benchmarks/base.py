"""What a benchmark of agents is: a program of its authors, how it is started, and what it leaves. No program here.

The owner of the studio installs it and says what starts it (``Settings.programs``); a worker starts it beside an
OpenAI-compatible address with one model (``jobs/evaluation/benchmark.py``) and takes its results in as items.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio_core.base.errors import StudioError

SCORED_BY = "benchmark"
LOG = "output.log"
"""In the folder of results: all that the program has printed."""


@dataclass(frozen=True)
class Outcome:
    """One task, as the program left it."""

    item: str
    """What the program calls it."""
    values: tuple[float, ...]
    """Of each trial, from 0 to 1; not a number where it could not be played."""
    kind: str = ""
    key: str = ""
    """What was wanted, where it says so."""
    exchanges: tuple[list[dict[str, Any]], ...] = ()
    """Of each trial the messages as OpenAI writes them, where it keeps them."""
    told: str = ""
    """What it says of the value, or why there is none."""


@dataclass(frozen=True)
class Benchmark:
    program: str
    """The name that ``Settings.programs`` has it by."""
    arguments: tuple[str, ...]
    """What follows the owner's own. ``{address}``, ``{model}``, ``{key}``, ``{out}``, ``{starters}``, ``{seed}``,
    ``{samples}``, ``{temperature}`` are filled in; each stays one argument, and no shell reads them."""
    read: Callable[[Path], Iterable[Outcome]]
    """The tasks by the folder of results. Raises ``KeyError``, ``TypeError`` or ``ValueError`` of another shape."""
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Variables, filled in alike. Where a program takes the key so, others on the machine do not see it."""
    limit: tuple[str, ...] = ()
    """Further arguments where so many tasks are wanted, ``{limit}``; empty: it always asks all."""
    takes: tuple[str, ...] = ()
    """What a choice may say of how answers are drawn."""
    install: str = ""
    """How the program is installed: commands, which are the same in every language."""
    setting: str = ""
    """What ``Settings.benchmarks`` has of it, as JSON."""
    hours: float = 24.0
    """Until it is ended: a program that waits for a network would hold the device for ever."""

    def command(self, owners: Sequence[str], limit: int | None, given: Mapping[str, str]) -> list[str]:
        """All arguments, the owner's first."""
        more = [*self.arguments, *(self.limit if limit else ())]
        return [*owners, *(filled(each, {**given, "limit": str(limit)}) for each in more)]

    def variables(self, given: Mapping[str, str]) -> dict[str, str]:
        return {name: filled(value, given) for name, value in self.environment.items()}


def filled(text: str, given: Mapping[str, str]) -> str:
    """``{name}`` replaced by what is given, and nothing in that replaced again."""
    head, *parts = text.split("{")
    return head + "".join(_filled(part, given) for part in parts)


def _filled(part: str, given: Mapping[str, str]) -> str:
    name, _, rest = part.partition("}")
    return given[name] + rest


def document(folder: Path, pattern: str) -> tuple[Path, Any]:
    """The one file of results of this name under the folder, with what it holds.

    Raises ``StudioError`` if there is none, or several; ``ValueError`` if it is no JSON.
    """
    files = sorted(folder.rglob(pattern))
    if len(files) != 1:
        raise StudioError("evaluation.benchmark_files", folder=folder, pattern=pattern, count=len(files))
    return files[0], json.loads(files[0].read_text(encoding="utf-8"))


def by_task(tasks: Iterable[Outcome]) -> Iterator[Outcome]:
    """Several trials of a task as one outcome, tasks in the order of their first trials."""
    together: dict[str, list[Outcome]] = {}
    for task in tasks:
        together.setdefault(task.item, []).append(task)
    for trials in together.values():
        first = trials[0]
        yield Outcome(
            first.item,
            tuple(value for trial in trials for value in trial.values),
            first.kind,
            first.key,
            tuple(exchange for trial in trials for exchange in trial.exchanges),
            next((trial.told for trial in trials if trial.told), ""),
        )


def share(value: Any) -> float:
    """A number from 0 to 1; raises ``TypeError`` or ``ValueError`` if it is none."""
    number = float(value)
    if not 0 <= number <= 1:
        raise ValueError(f"{value!r} is no share")
    return number


NO_VALUE = math.nan
