"""``jobs rollouts``: what a run wrote while it learnt from rewards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.cli import run
from studio_core import training
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.models import registry
from studio_core.runs.rollouts import RolloutWriter
from studio_core.runs.token_figures import TokenFigures, TokenFiguresWriter
from tests.unit.studio_core.runs.test_rollouts import rollout
from tests.unit.studio_core.training.runs import imported, spec


@pytest.fixture
def job(studio: Studio, tmp_path: Path) -> int:
    registry.ensure_demo_models(studio)
    rows = [{"prompt": f"{n} plus 1", "answer": str(n + 1)} for n in range(60)]
    imported(studio, "asked", rows, tmp_path)
    job = training.submit(studio, spec(method="grpo", model="tiny-chat", dataset="asked"))
    return job.id


def called(studio: Studio, *words: object) -> int:
    return run(["--home", str(studio.settings.home), "jobs", "rollouts", *map(str, words)])


def test_rollouts_are_listed_by_step_and_by_worth(
    studio: Studio, job: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert called(studio, job, "--json") == 0
    assert json.loads(capsys.readouterr().out) == []  # It has not begun.
    folder = studio.settings.home / "a-run"
    folder.mkdir()
    *_, newest = RolloutWriter(folder, kept=100).write([rollout(1, 0.0), rollout(1, 1.0), rollout(2, 0.5)])
    figures = TokenFigures(tokens=["2", "问"], entropy=[0.5, 0.1])
    TokenFiguresWriter(folder).write(newest, figures)
    with studio.db.write() as session:
        row = session.get(Job, job)
        assert row
        row.run_dir = str(folder)
    for words, rewards in (
        ((), [0.5, 1.0, 0.0]),
        (("--step", 1, "--best"), [1.0, 0.0]),
        (("--worst",), [0.0, 0.5, 1.0]),
    ):
        assert called(studio, job, *words, "--json") == 0
        listed = json.loads(capsys.readouterr().out)
        assert [one["reward"] for one in listed] == rewards
        assert all(one.get("by_token") == (figures if one["step"] == 2 else None) for one in listed)
    assert called(studio, job, "--limit", 1) == 0
    assert "2 plus 2" in capsys.readouterr().out
    assert called(studio, job, "--best", "--worst") == 2
    assert "not --best, --worst" in capsys.readouterr().err
    for words, steps in (
        (("--varied",), [1, 1]),
        (("--search", "PLUS", "--step", 2), [2]),
        (("--search", "x"), []),
    ):
        assert called(studio, job, *words, "--json") == 0
        assert [one["step"] for one in json.loads(capsys.readouterr().out)] == steps


def test_a_rollout_is_added_to_a_dataset(
    studio: Studio, job: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    RolloutWriter(tmp_path, kept=100).write([rollout(1, 0.0), {**rollout(1, 1.0), "answer": "4"}])
    with studio.db.write() as session:
        session.get_one(Job, job).run_dir = str(tmp_path)
    assert called(studio, job, "--best", "--limit", 1, "--json") == 0
    [best] = json.loads(capsys.readouterr().out)
    home = ["--home", str(studio.settings.home), "jobs", "add-rollout", str(job), best["mark"]]
    assert run([*home, "pair", "better", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["dataset"], told["rows"], told["new"]) == ("better@1", 1, True)
    assert told["record"]["chosen"] == [{"role": "assistant", "content": "4"}]
    assert run([*home, "answer", "good"]) == 0
    assert "good@1" in capsys.readouterr().out
    assert run([*home, "essay", "good"]) == 2
    assert "pair, answer" in capsys.readouterr().err


def test_rewards_are_read_from_the_command_line(
    studio: Studio, job: int, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["estimate", "--method", "grpo", "--model", "tiny-chat", "--dataset", "asked", "--json"]
    home = ["--home", str(studio.settings.home)]
    assert run([*home, *words, "--reward", "boxed:0.2", "--reward", "equality"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 8
    assert run([*home, *words, "--reward", "praise"]) == 2
    assert "There is no reward praise" in capsys.readouterr().err
