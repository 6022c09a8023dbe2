from __future__ import annotations

from datetime import UTC, datetime, timedelta

from studio_core.base import clock


def test_now_is_utc_without_a_mark() -> None:
    moment = clock.now()
    assert moment.tzinfo is None
    assert abs(moment - datetime.now(UTC).replace(tzinfo=None)) < timedelta(seconds=5)


def test_text_and_back() -> None:
    moment = datetime(2026, 11, 21, 8, 30, 0, 123456)
    assert clock.iso(moment) == "2026-11-21T08:30:00.123456Z"
    assert clock.parse(clock.iso(moment)) == moment
    whole = datetime(2026, 11, 21, 8, 30)
    assert clock.parse(clock.iso(whole)) == whole
