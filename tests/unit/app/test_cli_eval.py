"""``eval``: models against suites, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.cli import run
from studio_core.base.studio import Studio
from studio_core.evaluation import results
from studio_core.models import registry
from studio_core.runs import queue
from tests.unit.studio_core.evaluation.evaluated import evaluated


def called(studio: Studio, *words: object) -> int:
    return run(["--home", str(studio.settings.home), "eval", *map(str, words)])


@pytest.fixture
def job(studio: Studio) -> int:
    registry.ensure_demo_models(studio)
    return evaluated(studio).id


def test_one_call_is_one_job(
    studio: Studio, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cli.eval.ensure_engine", lambda studio: None)
    words = ("run", "--models", "tiny-base, tiny-chat", "--suite", "facts,sums", "--limit", 5, "--json")
    assert called(studio, *words) == 0
    spec = queue.get(studio, json.loads(capsys.readouterr().out)["job"]).spec
    assert (spec["models"], spec["limit"]) == (["tiny-base", "tiny-chat"], 5)
    assert [each["name"] for each in spec["suites"]] == ["facts", "sums"]
    assert called(studio, "run", "--models", "tiny-base", "--reward", "contains:x") == 2
    assert "Name one with --dataset" in capsys.readouterr().err
    assert called(studio, "run", "--models", "tiny-base", "--suite", "gsm8k") == 2
    assert "suites add gsm8k FILE" in capsys.readouterr().err
    assert called(studio, "run", "--models", "tiny-base", "--suite", "facts", "--limit", 0) == 2
    assert "limit cannot be '0'" in capsys.readouterr().err


def test_what_was_reached_in_words_and_for_programs(
    studio: Studio, job: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(studio, "show", job) == 0
    shown = capsys.readouterr().out
    assert "tiny-chat: Facts 12 to 16 of 19 (too few items to tell" in shown
    assert called(studio, "show", job, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["job"], len(document["results"])) == (job, 4)
    assert [change["won"] for change in document["report"]["changes"]] == [6, 6]
    training = queue.submit(studio, kind="train", name="x", method="sft", spec={})
    assert called(studio, "show", training.id) == 2
    assert "is no evaluation" in capsys.readouterr().err


def test_what_a_model_was_trained_on_is_counted(
    studio: Studio, job: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(studio, "contamination", job, "--json") == 0
    first, *others = json.loads(capsys.readouterr().out)["results"]
    assert len(others) == 3 and (first["model"], first["items"]) == ("tiny-base", 20)
    assert (first["trained_on"], first["datasets"]) == (0, []), "nothing here has trained it"
    assert first["value_without"] == pytest.approx(first["value"])
    assert called(studio, "contamination", job) == 0
    assert "value_without" in capsys.readouterr().out


def test_reports_are_written_and_told_where_they_cannot_be(
    studio: Studio, job: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    html, csv = tmp_path / "report.html", tmp_path / "report.csv"
    assert called(studio, "compare", "tiny-base", "tiny-chat", "--html", html, "--csv", csv, "--json") == 0
    assert json.loads(capsys.readouterr().out)["models"] == ["tiny-base", "tiny-chat"]
    assert "<!doctype html>" in html.read_text() and "tiny-chat" in csv.read_text()
    assert called(studio, "compare", "tiny-base", "tiny-chat", "--html", tmp_path / "no" / "x.html") == 2
    assert "cannot be written" in capsys.readouterr().err
    assert (
        called(studio, "compare", "tiny-base", "nobody") == 3
        or "not evaluated yet" in capsys.readouterr().err
    )


def test_items_of_two_models(studio: Studio, job: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(studio, "items", job, "--which", "lost", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["count"] == 2 and [each["item"] for each in document["items"]] == ["17", "18"]
    before, after = document["items"][0]["answers"]
    assert (before["model"], before["value"], after["value"]) == ("tiny-base", 1, 0)
    assert after["reason"].startswith("Wanted: ")
    assert called(studio, "items", job, "--which", "no_value", "--json") == 0
    assert json.loads(capsys.readouterr().out)["items"][0]["answers"][1]["value"] is None
    assert called(studio, "items", job, "--which", "won", "--limit", 1) == 0
    assert len(capsys.readouterr().out.strip().splitlines()) == 2


def test_items_that_are_gone_are_told(studio: Studio, job: int, capsys: pytest.CaptureFixture[str]) -> None:
    results.file_of(studio, results.of_job(studio, job)[0]).unlink()
    assert called(studio, "items", job) != 0
    assert "are gone" in capsys.readouterr().err
