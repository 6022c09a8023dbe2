"""Which trackers are on, with their options and keys, in ``trackers.json`` of the data folder, its owner's only."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from studio_core.base import audit
from studio_core.base.atomic import write_json
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.settings import Settings
from studio_core.trackers import TRACKERS, named
from studio_core.trackers.base import Tracker, TrackerOptions

FILE = "trackers.json"
# A Python that starts and looks for one package: a second on a busy machine.
_PATIENCE = 30.0
_KEY = re.compile(r"[\x21-\x7e]{1,4000}")


class Switch(BaseModel):
    """One tracker as somebody has set it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    on: bool = False
    options: dict[str, Any] = Field(default_factory=dict)
    key: SecretStr = SecretStr("")

    def checked(self, tracker: Tracker) -> TrackerOptions:
        options: TrackerOptions = tracker.checked(self.options)
        return options


def switches(file: Path) -> dict[str, Switch]:
    """Every tracker with its switch, off where nobody has set it."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        return {name: Switch.model_validate(document.get(name, {})) for name in TRACKERS}
    except FileNotFoundError:
        return {name: Switch() for name in TRACKERS}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        # The reason could quote the file, and with it a key.
        raise StudioError("trackers.damaged", path=file) from error


def enabled(file: Path) -> list[str]:
    """Names of the trackers that runs are sent to."""
    return [name for name, switch in switches(file).items() if switch.on]


def switch(
    settings: Settings,
    name: str,
    on: bool,
    options: Mapping[str, Any] | None = None,
    key: str = "",
) -> Switch:
    """Turn a tracker on or off, for runs that begin from now on.

    Without ``options`` it keeps those it had; without a key it keeps its key, unless it is sent elsewhere. Raises
    ``BadInput`` for options that will not do, and for a tracker whose package is not installed.
    """
    tracker, file, key = named(name), settings.home / FILE, key.strip()
    if key and not (tracker.keyed and _KEY.fullmatch(key)):
        raise BadInput("trackers.key_invalid" if tracker.keyed else "trackers.no_key", tracker=name)
    if on and not is_installed(tracker, settings.trackers_python):
        raise missing(tracker, settings.trackers_python)
    with _alone(file):
        known = switches(file)
        before = known[name]
        wanted = Switch(
            on=on, options=dict(before.options if options is None else options), key=SecretStr(key)
        )
        asked = wanted.checked(tracker)
        # A key goes to the address that it was given for, and to no other.
        if not key and tracker.address(before.checked(tracker), "-") == tracker.address(asked, "-"):
            wanted = wanted.model_copy(update={"key": before.key})
        known[name] = wanted.model_copy(update={"options": asked.model_dump()})
        _write(file, known)
    audit.note("tracker %r turned %s", name, "on" if on else "off")
    return known[name]


def is_installed(tracker: Tracker, python: str) -> bool:
    """Whether the tracker's package is there, in the studio's Python or in the one that was named."""
    if not python:
        return find_spec(tracker.module) is not None
    look = f"import sys, importlib.util; sys.exit(importlib.util.find_spec({tracker.module!r}) is None)"
    try:
        return not subprocess.run(
            [python, "-I", "-c", look], timeout=_PATIENCE, capture_output=True
        ).returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadInput("trackers.no_python", python=python, reason=error) from error


def missing(tracker: Tracker, python: str) -> BadInput:
    return BadInput(
        "trackers.not_installed",
        tracker=tracker.name,
        python=python or sys.executable,
        command=tracker.install,
    )


def _write(file: Path, known: Mapping[str, Switch]) -> None:
    document = {
        name: {"on": one.on, "options": one.options, "key": one.key.get_secret_value()}
        for name, one in known.items()
    }
    write_json(file, document, mode=0o600)


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Nobody else changes the file meanwhile."""
    descriptor = os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
