"""``sweep``, and what ``jobs`` does with one."""

from __future__ import annotations

import json

import pytest

from app.cli import run
from studio_core.base.studio import Studio
from studio_core.runs import queue
from studio_core.training import sweeps
from tests.unit.studio_core.training.test_sweeps import reported, studio_with_sums

__all__ = ["studio_with_sums"]
WISH = ("--method", "sft", "--model", "tiny-base", "--dataset", "sums", "--set", "epochs=1")


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.cli.sweep.ensure_engine", lambda studio: None)


def called(studio: Studio, *words: object) -> int:
    return run(["--home", str(studio.settings.home), *map(str, words)])


def test_a_dry_run_tells_and_starts_nothing(
    studio_with_sums: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    studio = studio_with_sums
    values = ("--set", "learning_rate=1e-4,3e-4", "--seeds", 3)
    assert called(studio, "sweep", *WISH, *values, "--dry-run", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["runs"], told["ready"], told["problems"]) == (6, True, [])
    assert told["values"][:2] == [{"learning_rate": 1e-4, "seed": 0}, {"learning_rate": 1e-4, "seed": 1}]
    assert told["disk"] > 0
    assert called(studio, "sweep", *WISH, *values, "--dry-run") == 0
    assert "6 runs" in capsys.readouterr().out
    assert called(studio, "sweep", *WISH, "--set", "learning_rate=1e-4,-1", "--dry-run") == 2
    assert called(studio, "sweep", *WISH) == 2  # No option has several values.
    assert queue.all_jobs(studio) == []


def test_a_sweep_is_started_watched_narrowed_and_widened(
    studio_with_sums: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    studio = studio_with_sums
    assert called(studio, "sweep", *WISH, "--set", "learning_rate=1e-4,3e-4,1e-3", "--json") == 0
    made = json.loads(capsys.readouterr().out)
    name, (first, second, third) = made["sweep"], made["jobs"]
    for job, loss in zip(sweeps.jobs(studio, name), (2.0, 1.0), strict=False):
        reported(studio, job, 10, loss)
    assert called(studio, "jobs", "sweep", name, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["metric"], told["lower_is_better"], told["step"]) == ("loss", True, 10)
    assert [(row["loss"], row["jobs"]) for row in told["rows"]] == [
        (1.0, [second]),
        (2.0, [first]),
        (None, [third]),
    ]
    assert called(studio, "jobs", "stop-losers", name, "--keep", 1, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"stopped": [first]}
    assert called(studio, "jobs", "clone", name, second, "--set", "learning_rate=2e-4", "--json") == 0
    clone = json.loads(capsys.readouterr().out)["job"]
    assert [job.id for job in sweeps.jobs(studio, name)] == [first, second, third, clone]
    assert called(studio, "jobs", "sweeps", "--json") == 0
    assert [one["sweep"] for one in json.loads(capsys.readouterr().out)] == [name]
    for words in (("sweep", name), ("sweeps",)):
        assert called(studio, "jobs", *words) == 0
    assert called(studio, "jobs", "sweep", "ffffffff") == 2
