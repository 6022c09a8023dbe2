"""``handover``: a folder, and sentences that say what is not the same there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.cli import run
from studio_core import training
from studio_core.base.studio import Studio
from studio_core.models import registry
from tests.unit.studio_core.training.runs import chat, imported, spec


@pytest.fixture
def number(studio: Studio, tmp_path: Path) -> int:
    registry.ensure_demo_models(studio)
    imported(studio, "sums", [chat(f"What is {n}?", f"It is {n}.") for n in range(20)], tmp_path)
    return training.submit(studio, spec(model="tiny-chat", options={"neftune": 5.0, "epochs": 1.5})).id


def called(studio: Studio, *words: str) -> int:
    return run(["--home", str(studio.settings.home), "handover", *words])


def test_what_is_not_the_same_is_said(
    studio: Studio, number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(studio, str(number), "--to", "openrlhf", "--out", str(tmp_path / "there")) == 0
    said = capsys.readouterr().out
    assert f"Run {number} is written to {tmp_path / 'there'} (20 records)" in said
    assert "neftune=5.0" in said and "epochs: 1.5 -> 2" in said
    assert (tmp_path / "there" / "run.sh").is_file()


def test_json_has_every_field(
    studio: Studio, number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(studio, str(number), "--to", "axolotl", "--out", str(tmp_path / "there"), "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["fields"]["neftune_noise_alpha"] == 5.0 and not document["without"]
    assert (document["run"], document["rows"]) == (number, {"train.jsonl": 20})


def test_without_a_name_the_folder_lies_where_one_is(
    studio: Studio, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert called(studio, str(number), "--to", "ms-swift") == 0
    assert (tmp_path / f"run-{number}-ms-swift" / "config.yaml").is_file()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [("--to torchtune", "axolotl, llama-factory"), ("--to verl --out /no/there", "/no")],
)
def test_what_cannot_be_is_refused(
    studio: Studio, number: int, capsys: pytest.CaptureFixture[str], words: str, sentence: str
) -> None:
    assert called(studio, str(number), *words.split()) == 2
    assert sentence in capsys.readouterr().err
