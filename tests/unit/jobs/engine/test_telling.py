"""The engine's thread that tells: it goes on beside the loop, and one fault does not end it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from jobs.engine import telling
from studio_core.base.errors import StudioError
from studio_core.base.studio import open_studio
from studio_core.base.tables import Device
from studio_core.notices import outbox, register
from studio_core.runs import queue
from tests.conftest import wait_until
from tests.receivers import hook
from tests.unit.studio_core.notices.test_outbox import ended


def test_it_sends_what_happens_and_survives_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    studio = open_studio(home=tmp_path / "home", private_webhooks=True)
    queue.set_devices(studio, [Device(id="cpu:0", kind="cpu", label="CPU", foreign_memory=0)])
    monkeypatch.setattr(telling, "EVERY", 0.01)
    stopped, faults, look = threading.Event(), ["database_locked"], outbox.look

    def faulty(*given: object, **named: object) -> int:
        if faults:
            raise StudioError(faults.pop(), path="x")
        return look(studio)

    monkeypatch.setattr(outbox, "look", faulty)
    with hook() as receiver:
        register.add(studio, "webhook", receiver.url)
        thread = telling.begin(studio, stopped)
        ended(studio)
        wait_until(lambda: receiver.got, what="a notice")
        assert not faults and thread.is_alive()
        stopped.set()
        thread.join()
    assert receiver.bodies[0]["type"] == "run.ended"
    studio.close()
