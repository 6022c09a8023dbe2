"""The one clock. Tests replace ``now``; nothing else in the studio asks for the time of day.

Durations are measured with ``time.monotonic``, never by subtracting two of these.
"""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The time of day in UTC, without a time zone mark, as the database stores it."""
    return datetime.now(UTC).replace(tzinfo=None)


def seconds() -> float:
    """The same moment in seconds since 1970."""
    # From ``now``, so that a test that moves the clock moves this one too.
    return aware().timestamp()


def aware() -> datetime:
    """The same moment with its time zone, for what other programs read."""
    return now().replace(tzinfo=UTC)


def iso(moment: datetime) -> str:
    """``2026-11-21T08:30:00.123456Z``"""
    return moment.isoformat(timespec="microseconds") + "Z"


def parse(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix("Z"))
