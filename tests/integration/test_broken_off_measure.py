"""What measures the demo models counts no training that was broken off."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from jobs.demo.finetune import RECIPES, carry_out, spec_of
from studio_core.runs.run_folder import EVENTS
from tests.conftest import wait_until


def test_a_training_that_is_told_to_end_is_no_measurement(tmp_path: Path) -> None:
    recipe = next(recipe for recipe in RECIPES if recipe.method.name == "sft")
    events = tmp_path / EVENTS

    def told_to_end() -> None:
        wait_until(lambda: events.is_file() and '"metrics"' in events.read_text(), what="the first report")
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    other = threading.Thread(target=told_to_end)
    other.start()
    try:
        with pytest.raises(SystemExit, match="was broken off"):
            carry_out(spec_of(recipe, 1, tmp_path), tmp_path)
    finally:
        other.join()
        signal.signal(signal.SIGTERM, before)
