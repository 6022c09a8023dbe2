from __future__ import annotations

import pytest

from app.parts import tuning_table
from studio_core.tunings import TUNINGS
from studio_core.tunings.measured import measured


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_it_says_what_was_measured_and_with_what(language: str) -> None:
    shown = str(tuning_table.drawn(language))
    all_ = measured()
    assert shown.count("<tr>") == len(all_.figures) + 1
    assert all(label in shown for label in (all_.model, f"{all_.rows}", all_.date, all_.computed_for))
    assert "DoRA" in shown and ": 16</div>" in shown


def test_what_was_not_measured_is_named() -> None:
    shown = str(tuning_table.drawn("en"))
    there = {figure.tuning for figure in measured().figures}
    _, _, below = shown.partition("Not measured yet: ")
    missing = [name for name in TUNINGS if name not in there]
    assert bool(missing) == bool(below)
    assert ("P-tuning" in below) == ("p_tuning" in missing)
