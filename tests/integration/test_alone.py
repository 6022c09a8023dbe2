"""Training scripts called from a shell on a plain file, as their docstrings say. In this process."""

from __future__ import annotations

import json
import shlex
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from jobs.training import alone
from studio_core.base.settings import bundled_folder
from studio_core.methods import METHODS
from studio_core.runs import run_folder
from tests.integration.miniature import events, judged, rankings, scored, stepwise

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.

ROOT = bundled_folder().parent
MODEL = str(bundled_folder() / "models" / "tiny-chat")
PAIRS = str(bundled_folder() / "samples" / "identity-pairs.jsonl")

FILES = {
    "JUDGED.jsonl": judged(24),
    "SCORED.jsonl": scored(24),
    "RANKED.jsonl": rankings(24),
    "STEPS.jsonl": stepwise(24),
}
"""Data that a lesson's call names and that is no sample of the studio's."""


def call(script: ModuleType, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit code of the script, called with these words."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", [str(script.__name__), *words])
    with pytest.raises(SystemExit) as ended:
        alone.run(script.__name__.rpartition(".")[2].replace("_", "-"), script.main)
    return int(ended.value.code or 0)


def words_in(script: ModuleType) -> list[str]:
    """The call that the script's docstring gives, behind the name of the module."""
    lines = str(script.__doc__).replace("\\\n", " ").splitlines()
    [line] = [line for line in lines if line.strip().startswith("python -m")]
    return shlex.split(line)[3:]


@pytest.mark.parametrize("method", METHODS)
def test_the_call_in_the_lesson_trains(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = import_module(METHODS[method].script)
    words = words_in(script)
    for name in FILES.keys() & words:
        file = tmp_path / name
        file.write_text("".join(json.dumps(row) + "\n" for row in FILES[name]))
        words[words.index(name)] = str(file)
    words[words.index("--out") + 1] = str(tmp_path / "run")
    asked = ["--prompt", "Who are you?"] if METHODS[method].writes else []
    assert call(script, monkeypatch, *words, "--set", "max_steps=2", *asked) == 0
    assert [event["state"] for event in events(tmp_path / "run", "result")] == ["succeeded"]
    assert any((tmp_path / "run" / run_folder.MODEL).glob("*.safetensors"))
    told = capsys.readouterr().out
    assert "succeeded after" in told and f"The model is in {tmp_path / 'run' / 'model'}." in told
    assert ("after: 'Who are you?' -> " in told) is METHODS[method].writes
    assert told.count("training\n") == 1
    if method == "reward":
        assert "Held-out accuracy: " in told


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"--data": PAIRS}, "identity-pairs.jsonl has preference records, but sft needs"),
        ({"--data": "no-such-file.jsonl"}, "no-such-file.jsonl"),
        ({"--tuning": "dora"}, "sft does not support the fine-tuning method dora"),
        ({"--set": "epochs"}, "epochs"),
        ({"--set": "epochs=-1"}, "epochs is -1; it must be between 0.01 and 1000."),
        ({"--set": "epochs=["}, "epochs=["),
        ({"--model": "static/samples"}, "config.json"),
        ({"--device": "tpu"}, "device is 'tpu'"),
        ({"--seed": "-1"}, "seed is '-1'"),
        ({"--out": PAIRS}, "is not an empty folder. Give --out a new one."),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    changed: dict[str, str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    script = import_module(METHODS["sft"].script)
    sample = str(bundled_folder() / "samples" / "tiny-sft-chat.jsonl")
    given = {"--model": MODEL, "--data": sample, "--out": str(tmp_path / "run"), **changed}
    assert call(script, monkeypatch, *(word for pair in given.items() for word in pair)) == 2
    assert sentence in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_not_written_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    script = import_module(METHODS["dpo"].script)
    words = ("--model", MODEL, "--data", PAIRS, "--out", str(tmp_path))
    assert call(script, monkeypatch, *words) == 2
    assert str(tmp_path) in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]
