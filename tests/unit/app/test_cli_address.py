"""What ``address`` prints; that models answer there is seen by tests/integration/test_chat_worker.py."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.cli import run
from studio_core.base.settings import bundled_folder
from studio_core.base.studio import Studio, open_studio
from studio_core.generation import serving
from studio_core.generation.serving import Address
from studio_core.models import registry
from studio_core.runs.spec import ResolvedModel


def test_it_prints_what_clients_look_for_and_names_a_model_that_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    offered: list[str] = []

    def offer(studio: Studio, models: Sequence[ResolvedModel]) -> Address:
        offered.extend(model.name for model in models)
        return Address(1234, "the-key")

    monkeypatch.setattr(serving, "offer", offer)
    home = tmp_path / "home"
    folder = home / "models" / "gone"
    studio = open_studio(home=home)
    shutil.copytree(bundled_folder() / "models" / "tiny-base", folder)
    registry.add(studio, str(folder), name="gone")
    studio.close()
    shutil.rmtree(folder)
    assert run(["address", "--once", "--home", str(home)]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "export OPENAI_BASE_URL=http://127.0.0.1:1234/v1",
        "export OPENAI_API_KEY=the-key",
    ]
    assert "gone" in printed.err and "gone" not in offered and "tiny-chat" in offered
    assert run(["address", "--once", "--model", "nobody", "--home", str(home)]) == 2
    assert "nobody" in capsys.readouterr().err
