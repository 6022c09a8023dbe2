"""Who did what: entries for the audit log, wherever they are written to (``app.log_file``)."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import Any

log = logging.getLogger("tunesmith.audit")

LOGGERS = ("tunesmith.audit", "tunesmith.accounts")
"""Loggers whose entries belong to the audit log."""

WHO: ContextVar[str] = ContextVar("tunesmith.who", default="nobody")
"""Who is at work in this request or command."""


def note(sentence: str, *values: Any) -> None:
    """An entry, such as ``note("project %r deleted", name)``; who did it is added."""
    log.info(sentence, *values)
