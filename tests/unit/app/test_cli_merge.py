"""``models merge``: what is written on the command line becomes a job, or is refused in one sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.cli import models, run
from studio_core.base.studio import Studio
from studio_core.runs import queue
from tests.unit.studio_core.models.test_merging import adapter, base

__all__ = ["base"]  # A fixture.


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "ensure_engine", lambda studio: None)


def called(studio: Studio, *words: str) -> int:
    return run(["--home", str(studio.settings.home), "models", "merge", *words])


def test_adapters_weights_and_options_become_a_job(
    studio: Studio, base: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        adapter(studio, base, name)
    words = "--adapter one=0.7 --adapter two=-0.3 --by ties --density 0.4 --name both --seed 5 --json"
    assert called(studio, *words.split()) == 0
    job = queue.get(studio, json.loads(capsys.readouterr().out)["job"])
    assert (job.kind, job.name, job.method) == ("merge", "both", "ties")
    assert job.spec["adapters"] == {"one": 0.7, "two": -0.3}
    assert (job.spec["seed"], job.spec["run"]["options"]) == (5, {"method": "ties", "density": 0.4})


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--adapter one", "NAME=WEIGHT"),
        ("--adapter one=1 --adapter one=2", "given twice"),
        ("--adapter one=much --adapter two=1", "much"),
        ("--adapter one=1 --adapter two=1 --by sum", "sum"),
        ("--adapter one=1 --adapter two=1 --by ties --density 2", "density"),
        ("--adapter one=1 --adapter base=1", "complete model"),
        ("", "at least two"),
    ],
)
def test_what_cannot_be_merged_is_refused(
    studio: Studio, base: Any, capsys: pytest.CaptureFixture[str], words: str, sentence: str
) -> None:
    for name in ("one", "two"):
        adapter(studio, base, name)
    assert called(studio, *words.split()) == 2
    assert sentence in capsys.readouterr().err
    assert not queue.all_jobs(studio, kind="merge")
