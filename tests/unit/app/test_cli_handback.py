"""``handback``: a folder that another trainer trained in becomes a run; what is none is refused in a sentence."""

from __future__ import annotations

import json

import pytest

from app.cli import run
from studio_core import handover, training
from studio_core.base.settings import bundled_folder
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.handover.writing import hand_over
from tests.unit.studio_core.handover.conftest import studio, sums  # noqa: F401
from tests.unit.studio_core.handover.folders import lora
from tests.unit.studio_core.training.runs import spec


def test_a_folder_becomes_a_run(
    studio: Studio,  # noqa: F811
    sums: Dataset,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.cli.handback.ensure_engine", lambda studio: None)
    job = training.submit(studio, spec(model="tiny-chat"))
    studio.settings.models.mkdir(exist_ok=True)
    folder = studio.settings.models / "handed"
    hand_over(studio, job.id, handover.named("verl"), folder)
    words = ["--home", str(studio.settings.home), "handback", str(folder)]
    assert run(words) == 2
    assert "python -m verl.model_merger merge" in capsys.readouterr().err
    lora(folder / "model", bundled_folder() / "models" / "tiny-chat")
    assert run([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["job"], document["trainer"], document["weights"]) == (job.id + 1, "verl", "model")
    assert run([*words, "--name", "again"]) == 0
    assert f"as a result of run {job.id}" in capsys.readouterr().out
