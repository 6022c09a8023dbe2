"""``rewards list`` and ``rewards try``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.cli import run
from studio_core.base.studio import Studio
from studio_core.rewards import OF_TRAININGS
from tests.unit.studio_core.training.runs import imported


def test_the_list_names_every_reward_with_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rewards", "list", "--json"]) == 0
    listed = {reward["reward"]: reward for reward in json.loads(capsys.readouterr().out)}
    assert [*listed] == [*OF_TRAININGS]
    [column, tolerance] = listed["number"]["options"]
    assert (tolerance["option"], tolerance["minimum"], tolerance["maximum"]) == ("tolerance", 0.0, 1.0)
    assert "answer" in listed["number"]["columns"] and listed["own_code"]["highest"] is None
    assert column["help"] and listed["number"]["help"]
    assert run(["rewards", "list"]) == 0
    assert "unit_tests" in capsys.readouterr().out


def test_a_reward_is_tried_on_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "rewards",
        "try",
        "number:2:price",
        "--answer",
        "about 105",
        "--record",
        '{"price": 100}',
        "--json",
    ]
    assert run([*words, "--set", "tolerance=0.1"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["reward"] == {
        "name": "number",
        "weight": 2.0,
        "options": {"column": "price", "tolerance": 0.1},
    }
    assert told["answers"] == [{"prompt": "", "answer": "about 105", "value": 1.0, "error": ""}]
    assert run(["rewards", "try", "number", "--answer", "7"]) == 1
    assert "is no number" in capsys.readouterr().out


def test_a_reward_is_tried_on_a_dataset(
    studio: Studio, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"prompt": f"{n} plus 1?", "completion": f"It is {n + n % 2}.", "answer": n} for n in range(4)]
    imported(studio, "asked", rows, tmp_path)
    words = [
        "--home",
        str(studio.settings.home),
        "rewards",
        "try",
        "number",
        "--dataset",
        "asked",
        "--json",
    ]
    assert run([*words, "--rows", "3"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(row["prompt"], row["answer"]) for row in told["answers"]][1] == ("1 plus 1?", "It is 2.")
    assert len(told["answers"]) == 3 and told["unscored"] == 0
    assert run([*words, "--answer", "2", "--offset", "2", "--rows", "1"]) == 0
    [row] = json.loads(capsys.readouterr().out)["answers"]
    assert (row["answer"], row["value"]) == ("2", 1.0)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["boxed"], "--dataset"),
        (["boxed", "--answer", "4", "--record", "[]"], "no JSON object"),
        (["boxed", "--answer", "4", "--record", "{"], "no JSON object"),
        (["praise", "--answer", "4"], "There is no reward praise"),
        (["own_code", "--answer", "4"], "not enabled"),
    ],
)
def test_what_cannot_be_tried_is_said(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["rewards", "try", *words]) == 2
    assert complaint in capsys.readouterr().err
