"""``models check | catalogue | find``."""

from __future__ import annotations

import json

import pytest

from app.cli import run
from studio_core.base.studio import Studio
from studio_core.models import registry
from studio_core.training import room
from studio_core.training.room import Machine
from tests.fake_hub import FakeHub
from tests.unit.studio_core.models.folders import model_folder
from tests.unit.studio_core.models.test_checking import NAME, there

__all__ = ["there"]  # A fixture.


@pytest.fixture(autouse=True)
def laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "here", lambda studio: Machine("cpu", 16 * 10**9, 12 * 10**9))


def called(studio: Studio, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = run(["--home", str(studio.settings.home), "models", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_check_adds_nothing(studio: Studio, there: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = called(studio, capsys, "check", NAME, "--json")
    told = json.loads(out)
    assert code == 0 and told["on_hub"] and told["model"] is None
    assert (told["parameters"], told["licence"], told["problems"]) == (320, "apache-2.0", [])
    assert [need["fit"] for need in told["memory"].values()] == ["fits"] * 4
    code, out, _ = called(studio, capsys, "check", NAME)
    assert code == 0 and "LlamaForCausalLM" in out and "inference" in out
    assert not registry.all_models(studio)


def test_what_stands_in_the_way_is_an_exit_code(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    folder = model_folder(studio.settings.models / "odd", architectures=["NoSuchForCausalLM"])
    code, out, _ = called(studio, capsys, "check", str(folder))
    assert code == 2 and "cannot load the architecture" in out
    code, _, err = called(studio, capsys, "check", str(folder / "nowhere"))
    assert code == 2 and "There is no folder" in err


def test_the_catalogue_by_purpose_and_room(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    def names(*words: str) -> set[str]:
        code, out, _ = called(studio, capsys, "catalogue", *words, "--json")
        assert code == 0
        return {model["name"] for model in json.loads(out)}

    code, out, _ = called(studio, capsys, "catalogue", "--purpose", "code")
    assert code == 0 and "Qwen/Qwen2.5-Coder-1.5B-Instruct" in out and "SmolLM2" not in out
    everything, full, lora = names(), names("--fits", "full"), names("--fits", "lora")
    assert "meta-llama/Llama-3.1-8B-Instruct" in everything - lora
    assert "HuggingFaceTB/SmolLM2-135M-Instruct" in full < lora < everything
    for words in (["--purpose", "cooking"], ["--fits", "somehow"]):
        code, _, err = called(studio, capsys, "catalogue", *words)
        assert code == 2 and words[1] in err and "Choose one of" in err


def test_a_search_of_the_hub(studio: Studio, there: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(studio, capsys, "add", NAME)[0] == 0
    code, out, _ = called(studio, capsys, "find", "small", "--json")
    [hit] = json.loads(out)
    assert code == 0 and (hit["name"], hit["model"], hit["downloads"]) == (NAME, "Small-1", 1234)
    code, out, _ = called(studio, capsys, "find", "small")
    assert NAME in out and "apache-2.0" in out


def test_a_search_without_a_network(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    code, _, err = called(studio, capsys, "find", "small")
    assert code == 1 and "cannot be reached" in err
