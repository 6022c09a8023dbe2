"""``arena`` of the command line: ratings for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.cli import run
from studio_core.base.studio import open_studio
from studio_core.models import registry
from tests.unit.studio_core.labeling.comparing import add_model, compared, judged, pair


def test_ratings_by_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(tmp_path / "home")]
    studio = open_studio(home=tmp_path / "home")
    registry.ensure_demo_models(studio)
    chat, base = registry.get(studio, "tiny-chat"), registry.get(studio, "tiny-base")
    tuned = add_model(studio, "tuned", chat)
    pairs = [pair(f"q{n}", *two) for n in range(20) for two in ((tuned, chat), (chat, base))]
    judged(studio, compared(studio, "p", pairs), lambda item: "a")
    studio.close()

    asked = ["arena", "--models", "tiny-base, tiny-chat,tuned"]
    assert run([*asked, "--json", *home]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["model"] for row in document["models"]] == ["tuned", "tiny-chat", "tiny-base"]
    assert document["games"] == 40 and document["models"][0]["rank"] == 1
    assert {row["games"] for row in document["models"]} == {20, 40}
    assert document["models"][0]["low"] < document["models"][0]["rating"] < document["models"][0]["high"]
    assert run([*asked, *home]) == 0
    assert "tuned ranks above" in capsys.readouterr().out
    assert run(["arena", "--models", "tiny-base,tiny-chat", *home]) == 2
    assert run(["arena", "--models", "tiny-base,tiny-chat,nobody", *home]) == 2
    assert "nobody" in capsys.readouterr().err
