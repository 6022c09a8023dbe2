"""A clock that goes on when a test says so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from studio_core.base import clock


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    moment = [datetime(2026, 1, 1)]
    monkeypatch.setattr(clock, "now", lambda: moment[0])

    def passed(by: timedelta) -> None:
        moment[0] += by

    return passed
