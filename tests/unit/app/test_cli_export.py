"""``export``: what is written on the command line becomes a job, or is refused in one sentence."""

from __future__ import annotations

import json

import pytest

from app.cli import export as command
from app.cli import run
from studio_core.base.studio import Studio
from studio_core.runs import queue


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "ensure_engine", lambda studio: None)


def called(studio: Studio, *words: str) -> int:
    return run(["--home", str(studio.settings.home), "export", *words])


def test_model_format_and_options_become_a_job(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    words = "tiny-chat --format ollama --set type=F16 --set num_ctx=512 --prompts 5 --name mine --json"
    assert called(studio, *words.split()) == 0
    job = queue.get(studio, json.loads(capsys.readouterr().out)["job"])
    assert (job.kind, job.method, job.name) == ("export", "ollama", "mine")
    options = job.spec["run"]["options"]
    assert (options["type"], options["num_ctx"], len(job.spec["run"]["prompts"])) == ("F16", 512, 5)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("tiny-chat --format pt", "gguf, ollama"),
        ("tiny-chat --set type=Q9", "Q9"),
        ("tiny-chat --set kind=1", "kind"),
        ("tiny-chat --format adapter", "not an adapter"),
        ("tiny-chat --prompts 9999", "prompts"),
        ("nothing", "nothing"),
    ],
)
def test_what_cannot_be_exported_is_refused(
    studio: Studio, capsys: pytest.CaptureFixture[str], words: str, sentence: str
) -> None:
    assert called(studio, *words.split()) == 2
    assert sentence in capsys.readouterr().err
    assert not queue.all_jobs(studio, kind="export")
