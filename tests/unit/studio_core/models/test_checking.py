"""What a folder or a model of the Hub is, before anything is fetched or kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio_core.base.errors import BadInput, StudioError
from studio_core.base.studio import Studio
from studio_core.models import checking, hub, registry
from studio_core.models.checking import Checked
from tests.fake_hub import FakeHub, fake_hub
from tests.unit.studio_core.models.folders import adapter_folder, model_folder

NAME = "org/Small-1"


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A Hub that has one good model, ``NAME``."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_TOKEN", "")
    with fake_hub() as opened:
        monkeypatch.setenv("HF_ENDPOINT", opened.url)
        folder = model_folder(tmp_path / "small")
        opened.models[NAME] = {file.name: file.read_bytes() for file in folder.iterdir()}
        opened.facts[NAME] = {
            "downloads": 1234,
            "tags": ["license:apache-2.0", "safetensors"],
            "safetensors": {"parameters": {"BF16": 320}, "total": 320},
        }
        yield opened


def sentences(checked: Checked) -> str:
    return " ".join(problem.sentence() for problem in checked.problems)


def test_a_good_folder(studio: Studio) -> None:
    folder = model_folder(studio.settings.models / "base")
    checked = checking.check(studio, f"  {folder}/ ")
    assert checked.inspected and checked.inspected.parameters == 320 and checked.inspected.chat_template
    assert (checked.supported, checked.problems, checked.known_as) == (True, [], "")
    assert not registry.all_models(studio), "a check keeps nothing"
    registry.add(studio, str(folder), name="mine")
    assert checking.check(studio, str(folder)).known_as == "mine"


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"auto_map": {"AutoModel": "m.X"}}, "needs its own Python code"),
        ({"architectures": ["NoSuchForCausalLM"]}, "NoSuchForCausalLM"),
    ],
)
def test_a_folder_that_cannot_be_used(studio: Studio, config: dict[str, Any], sentence: str) -> None:
    folder = model_folder(studio.settings.models / "odd", **config)
    checked = checking.check(studio, str(folder))
    assert sentence in sentences(checked)
    assert checked.inspected and checked.inspected.parameters == 320, "what it is, is told all the same"


def test_pickled_weights_and_adapters_are_told(studio: Studio) -> None:
    pickled = model_folder(studio.settings.models / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    assert "pickled (pytorch_model.bin)" in sentences(checking.check(studio, str(pickled)))
    adapter = adapter_folder(studio.settings.models / "adapter")
    assert "an adapter for org/base" in sentences(checking.check(studio, str(adapter)))


def test_own_code_that_is_allowed_is_no_problem(studio: Studio) -> None:
    folder = model_folder(studio.settings.models / "code", auto_map={"AutoModel": "m.X"})
    checked = checking.check(studio, str(folder), own_code=True)
    assert not checked.problems and checked.inspected and checked.inspected.own_code


@pytest.mark.parametrize("source", ["", "/etc", "~nobody-here/x", "a\0b"])
def test_what_is_no_source(studio: Studio, source: str) -> None:
    with pytest.raises(BadInput):
        checking.check(studio, source)


def test_a_model_of_the_hub_is_told_from_its_small_files(studio: Studio, there: FakeHub) -> None:
    checked = checking.check(studio, NAME.lower())
    assert not checked.problems
    assert (checked.source, checked.licence, checked.gated) == (NAME, "apache-2.0", "")
    assert checked.inspected and checked.inspected.parameters == 320
    assert (checked.inspected.precision, checked.inspected.layers) == ("BF16", 2)
    assert checked.inspected.chat_template and checked.supported
    assert checked.download == sum(map(len, there.models[NAME].values()))
    assert not any("safetensors" in asked for asked in there.asked), "no weights are fetched"
    assert not list(studio.settings.models.glob("hub/*"))


def test_parameters_that_the_hub_has_not_counted(studio: Studio, there: FakeHub) -> None:
    del there.facts[NAME]["safetensors"]
    checked = checking.check(studio, NAME)
    size = len(there.models[NAME]["model.safetensors"])
    assert checked.inspected and checked.inspected.parameters == size // 4


def test_a_gated_model_says_what_to_do(studio: Studio, there: FakeHub) -> None:
    there.gated.add(NAME)
    there.facts[NAME]["gated"] = "manual"
    checked = checking.check(studio, NAME)
    assert checked.gated == "manual" and "hf auth login" in sentences(checked)
    with pytest.raises(BadInput, match="is gated"):
        checking.add(studio, NAME)


def test_what_the_hub_has_that_is_of_no_use_is_not_fetched(studio: Studio, there: FakeHub) -> None:
    files = there.models[NAME]
    cases: dict[str, dict[str, bytes]] = {
        "pickled (pytorch_model.bin)": {**files, "pytorch_model.bin": files["model.safetensors"]},
        "has no tokenizer.json": dict(files),
        "an adapter for org/base": {"adapter_config.json": b'{"base_model_name_or_path": "org/base"}'},
        "needs its own Python code": {
            **files, "config.json": json.dumps({**json.loads(files["config.json"]), "auto_map": {}}).encode()
        },
        "cannot be read": {**files, "config.json": b"{"},
    }  # fmt: skip
    del cases["pickled (pytorch_model.bin)"]["model.safetensors"]
    del cases["has no tokenizer.json"]["tokenizer.json"]
    for sentence, has in cases.items():
        there.models[NAME] = has
        with pytest.raises(BadInput) as caught:
            checking.add(studio, NAME)
        assert sentence in str(caught.value)
    assert not list(studio.settings.models.glob("hub/*")) and not registry.all_models(studio)


def test_a_model_for_which_there_is_no_room(
    studio: Studio, there: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    assert "has 0.0 GB free" in sentences(checking.check(studio, NAME))


def test_a_model_that_is_checked_is_added(studio: Studio, there: FakeHub) -> None:
    model = checking.add(studio, NAME)
    assert (model.name, model.source, model.parameters) == ("Small-1", NAME, 320)
    assert checking.check(studio, NAME.lower()).known_as == "Small-1"


@pytest.mark.parametrize("name", ["org/nothing", "org/small-1x"])
def test_names_that_the_hub_does_not_know(studio: Studio, there: FakeHub, name: str) -> None:
    with pytest.raises(BadInput, match=f"no model {name}"):
        checking.check(studio, name)


def test_without_a_network_that_is_said(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for ask in (lambda: checking.check(studio, NAME), lambda: hub.find("small")):
        with pytest.raises(StudioError, match=r"The Hub \(http://127.0.0.1:9\) cannot be reached"):
            ask()


def test_a_hub_that_does_not_answer_is_left(
    studio: Studio, there: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.delay = 30
    monkeypatch.setattr(hub, "PATIENCE", 1.0)
    with pytest.raises(StudioError, match="did not answer within 1 s"):
        hub.find("small")


def test_a_search(there: FakeHub) -> None:
    [hit] = hub.find("  SMALL ")
    assert (hit.name, hit.downloads, hit.licence, hit.parameters) == (NAME, 1234, "apache-2.0", 320)
    assert hit.safetensors and not hit.gated
    assert hub.find("nothing-of-that-name") == []
    for text in ("", "  ", "x" * 101):
        with pytest.raises(BadInput, match="1 to 100 characters"):
            hub.find(text)
