"""The committed figures of the ways of tuning: readable, of what there is, and worth what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio_core.tunings import TUNINGS, measured
from studio_core.tunings.measured import Figure, Measured


def test_the_committed_figures_are_of_ways_that_there_are() -> None:
    all_ = measured.measured()
    assert {"full", "lora"} <= {figure.tuning for figure in all_.figures} <= TUNINGS.keys()
    for figure in all_.figures:
        assert figure.options.keys() <= TUNINGS[figure.tuning].Options.model_fields.keys()
        assert 0 < figure.trained <= all_.parameters
        assert figure.scores.keys() == all_.asked.keys() and 0 <= figure.score <= 100


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    measured.write(measured.measured(), tmp_path / "figures.json")
    assert Measured.model_validate_json((tmp_path / "figures.json").read_text()) == measured.measured()


def test_groups_count_alike_and_chance_shrinks_with_questions() -> None:
    all_ = measured.measured()
    figure = all_.figures[0].model_copy(update={"scores": {"few": 100.0, "many": 0.0}})
    assert isinstance(figure, Figure) and figure.score == 50
    # Two shares of 100 questions each, half of them right: 1.96 times the root of two variances of 0.0025.
    assert all_.model_copy(update={"asked": {"one": 100}}).chance == pytest.approx(13.86, abs=0.01)
    assert all_.model_copy(update={"asked": {"one": 400}}).chance == pytest.approx(6.93, abs=0.01)
