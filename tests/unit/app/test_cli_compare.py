"""``jobs compare``: trainings beside each other on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.cli import run
from studio_core import training
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.models import registry
from tests.unit.studio_core.training.runs import chat, imported, run_to, spec


@pytest.fixture
def ids(studio: Studio, tmp_path: Path) -> list[int]:
    registry.ensure_demo_models(studio)
    imported(studio, "sums", [chat(f"{n}?", f"{n}.") for n in range(60)], tmp_path)
    jobs = [training.submit(studio, spec(options={"learning_rate": rate})) for rate in (1e-4, 3e-4)]
    return [run_to(studio, job, State.FAILED, steps=4).id for job in jobs]


def called(studio: Studio, *words: object) -> int:
    return run(["--home", str(studio.settings.home), "jobs", "compare", *map(str, words)])


def test_figures_settings_and_curves_for_programs(
    studio: Studio, ids: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(studio, *ids, "--json", "--by", "time") == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["run"], one["reports"]) for one in told["runs"]] == [(id, 4) for id in ids]
    assert told["runs"][0]["loss"] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    one, other = map(str, ids)
    assert told["settings"] == [{"setting": "options.learning_rate", one: 1e-4, other: 3e-4}]
    assert told["by"] == "time" and len(told["curves"]["loss"][one]) == 4
    assert called(studio, *ids, "--json", "--all") == 0
    assert len(json.loads(capsys.readouterr().out)["settings"]) > 20


def test_tables_for_people(studio: Studio, ids: list[int], capsys: pytest.CaptureFixture[str]) -> None:
    assert called(studio, *ids) == 0
    assert "options.learning_rate" in capsys.readouterr().out
    assert called(studio, ids[0]) == 0
    assert "same configuration" in capsys.readouterr().out


def test_what_cannot_be_compared(studio: Studio, ids: list[int], capsys: pytest.CaptureFixture[str]) -> None:
    assert called(studio, ids[0], 99) == 2
    assert called(studio, *ids, "--by", "place") == 2
    assert "step, tokens, time, epoch" in capsys.readouterr().err
