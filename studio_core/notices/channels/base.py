"""What a channel is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from studio_core.base.errors import StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import Notice, NoticeChannel

PATIENCE = 10.0
"""Seconds that a server has for an answer."""


class Undelivered(StudioError):
    """An attempt that failed, in one sentence. ``final``: another one would fail too."""

    def __init__(self, key: str, *, final: bool = False, **values: Any) -> None:
        super().__init__(key, **values)
        self.final = final


@dataclass(frozen=True)
class Channel:
    name: str
    """Its title is ``notices.channel_<name>``."""
    check: Callable[[Studio, str], str]
    """``(studio, target)`` -> the target as it is kept; raises ``BadInput``."""
    send: Callable[[Studio, NoticeChannel, Notice], None] | None
    """Tells one notice, or raises ``Undelivered``. None: it is fetched."""
