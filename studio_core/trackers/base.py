"""What a tracker is: a program of others that draws runs, which a run is told to as well.

Texts are ``trackers.<name>`` and ``....help``; those of an option ``trackers.<option>`` and ``....help``. Its library
is imported by its twin only, ``jobs/tracking/sinks/<name>.py``, in a process of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from studio_core.base.errors import BadInput
from studio_core.generation.services import checked_address
from studio_core.options import Part, option

FOLDER = "trackers"
"""In the data folder: what trackers keep on this machine, a folder for each."""

# What W&B takes, which takes the least of all of them.
_PROJECT = re.compile(r"[\w][\w. -]{0,99}")


class TrackerOptions(BaseModel):
    """Field order is form order. Fields are made by ``studio_core.options.option``."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ProjectOptions(TrackerOptions):
    project: str = option("tunesmith", advanced=False)

    @field_validator("project")
    @classmethod
    def _named(cls, project: str) -> str:
        if not _PROJECT.fullmatch(project.strip()):
            raise BadInput("trackers.project_invalid", project=project[:80])
        return project.strip()


class ServerOptions(ProjectOptions):
    """Of a tracker that may have a server."""

    address: str = option("", advanced=False)

    @field_validator("address")
    @classmethod
    def _reachable(cls, address: str) -> str:
        return checked_address(address) if address.strip() else ""


@dataclass(frozen=True)
class Tracker(Part):
    name: str
    module: str
    """What is imported of it."""
    install: str
    """The command that installs it."""
    opened_by: Callable[[Path, str, Any], str]
    """``(folder, run, options)`` -> the command that shows, or sends, what is kept in the folder; ``run``: what the
    tracker calls it."""
    Options: type[TrackerOptions] = TrackerOptions
    keyed: bool = False
    """Whether it may want a key."""
    hosted_at: str = ""
    """Where it is sent if there is a key and no address."""
    told_late: bool = False
    """Whether only the end tells that its server took nothing: a run whose end fails is sent anew."""
    kept_offline: bool = False
    """Whether it keeps a run here that its server does not take, to be sent by its own program."""

    @property
    def title_key(self) -> str:
        return f"trackers.{self.name}"

    @property
    def areas(self) -> tuple[str, ...]:
        """Options that several trackers share have one text: ``trackers.<option>``."""
        return (self.title_key, "trackers")

    def address(self, options: TrackerOptions, key: str) -> str:
        """Where a run is sent; empty: it stays on this machine."""
        own = options.address if isinstance(options, ServerOptions) else ""
        return own or (self.hosted_at if key else "")
