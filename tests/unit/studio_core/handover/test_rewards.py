"""Rewards go along as a program, which gives what the studio gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq

from studio_core import training
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.handover import named
from studio_core.handover.writing import hand_over
from studio_core.rewards import score
from tests.unit.studio_core.training.runs import spec

ROOT = Path(__file__).parents[4]
REWARDS = [{"name": "equality"}, {"name": "shorter", "weight": 0.5, "options": {"characters": 4}}]


def handed(studio: Studio, folder: Path, trainer: str) -> Path:
    job = training.submit(studio, spec(model="tiny-chat", method="grpo", rewards=REWARDS))
    hand_over(studio, job.id, named(trainer), folder / trainer)
    return folder / trainer


def said(folder: Path, program: str) -> str:
    called = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return called.stdout


def test_the_program_gives_the_rewards_of_the_run(studio: Studio, sums: Dataset, tmp_path: Path) -> None:
    folder = handed(studio, tmp_path, "verl")
    row = pq.read_table(folder / "data" / "train.parquet").to_pylist()[3]
    assert [turn["role"] for turn in row["prompt"]] == ["system", "user"]
    record = row["reward_model"]["ground_truth"]
    program = (
        "import rewards, sys; "
        f"print(rewards.compute_score('', 'It is 6.', {record!r}), rewards.compute_score('', 'No', {record!r}), "
        "'torch' in sys.modules)"
    )
    right, wrong, torch = said(folder, program).split()
    one = [score(each["name"], each.get("options", {})) for each in REWARDS]
    for answer, value in (("It is 6.", right), ("No", wrong)):
        expected = one[0]("", answer, json.loads(record)) + 0.5 * one[1]("", answer, json.loads(record))
        assert float(value) == expected > 0
    assert torch == "False"


def test_an_answer_is_parted_from_its_prompt_and_its_end(
    studio: Studio, sums: Dataset, tmp_path: Path
) -> None:
    folder = handed(studio, tmp_path, "openrlhf")
    assert json.loads((folder / "rewards.json").read_text())["ends"] == ["<|end|>"]
    assert (
        said(folder, "import rewards; print(rewards._answer('a?It is 6.<|end|>', 'a?'))").strip()
        == "It is 6."
    )


def test_prompts_are_rendered_without_their_answers(studio: Studio, sums: Dataset, tmp_path: Path) -> None:
    folder = handed(studio, tmp_path, "ms-swift")
    row = json.loads((folder / "data" / "train.jsonl").read_text().splitlines()[0])
    assert len(row["messages"]) == 2 and json.loads(row["record"])["messages"][-1]["content"] == "It is 0."
    rendered = json.loads((folder / "rendered.json").read_text())[0]
    assert "What is 0 plus 0?" in rendered["text"] and "It is 0." not in rendered["text"]
    assert "PYTHONPATH" in (folder / "README.md").read_text()
