"""Model folders made to do harm: each is refused in a sentence, in bounded time and memory, or is harmless."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio_core.base.errors import BadInput, StudioError
from studio_core.base.studio import Studio
from studio_core.models import registry
from studio_core.models.inspect import INDEX, LIMITS, Inspected, architecture, chat_template, inspect
from tests.unit.studio_core.models.folders import model_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return model_folder(tmp_path / "base")


def config(**values: Any) -> Callable[[Path], object]:
    def spoil(folder: Path) -> None:
        file = folder / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | values))

    return spoil


def written(name: str, content: str | bytes) -> Callable[[Path], object]:
    raw = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(raw)


def large(name: str, size: int = 5 << 30) -> Callable[[Path], object]:
    """A file of five gigabytes that takes no place."""

    def spoil(folder: Path) -> None:
        (folder / name).touch()
        os.truncate(folder / name, size)

    return spoil


def weights(header: object, data: int = 1280) -> Callable[[Path], object]:
    block = header if isinstance(header, bytes) else json.dumps(header).encode()

    def spoil(folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(block)) + block + bytes(data))

    return spoil


def tensor(**values: Any) -> dict[str, Any]:
    return {"a": {"dtype": "F32", "shape": [32, 8], "data_offsets": [0, 1024], **values}}


def pipe(name: str) -> Callable[[Path], object]:
    def spoil(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return spoil


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a configuration of five gigabytes": (large("config.json"), "models.too_large"),
    "a tokenizer of five gigabytes": (large("tokenizer.json"), "models.too_large"),
    "its configuration of five gigabytes": (large("tokenizer_config.json"), "models.too_large"),
    "a template of five gigabytes": (large("chat_template.jinja"), "models.too_large"),
    "an index of five gigabytes": (large(INDEX), "models.too_large"),
    "lists in lists": (written("config.json", "[" * 1_000_000), "models.bad_json"),
    "objects in objects": (written("config.json", '{"a":' * 500 + "1" + "}" * 500), "models.bad_json"),
    "objects in objects that end": (written("config.json", '{"a":' * 99_999 + "1" + "}" * 99_999), "models.bad_json"),
    "a number of 100,000 digits": (written("config.json", '{"vocab_size": ' + "9" * 100_000 + "}"), "models.bad_json"),
    "bytes that are no text": (written("config.json", b'{"a": "\xff\xfe"}'), "models.bad_json"),
    "nothing": (written("config.json", ""), "models.bad_json"),
    "a list": (written("config.json", "[]"), "models.bad_json"),
    "a vocabulary beyond all numbers": (config(vocab_size=10**400), "models.bad_size"),
    "layers below nothing": (config(num_hidden_layers=-1), "models.bad_size"),
    "a width beyond all machines": (config(hidden_size=1 << 60), "models.bad_size"),
    "a pipe": (pipe("config.json"), "models.no_config"),
    "weights that are a pipe": (pipe("model.safetensors"), "errors.not_plain"),
    "a header longer than the file": (
        written("model.safetensors", struct.pack("<Q", 1 << 62) + b"{}"), "models.not_safetensors",
    ),
    "no header": (written("model.safetensors", b"123"), "models.not_safetensors"),
    "a header of lists in lists": (weights(b"[" * 1_000_000), "models.not_safetensors"),
    "a header that is a list": (weights([]), "models.not_safetensors"),
    "a shape beyond all numbers": (weights(tensor(shape=[10**400])), "models.not_safetensors"),
    "a shape whose product takes for ever": (weights(tensor(shape=[2**39] * 200_000)), "models.not_safetensors"),
    "many shapes whose product takes for ever": (
        weights({f"t{n}": tensor(shape=[2**39] * 16)["a"] for n in range(20_000)}), "models.not_safetensors",
    ),
    "a shape below nothing": (weights(tensor(shape=[-1, -8])), "models.not_safetensors"),
    "a shape of words": (weights(tensor(shape=["32", "8"])), "models.not_safetensors"),
    "a shape that is a word": (weights(tensor(shape="32")), "models.not_safetensors"),
    "a shape of truths": (weights(tensor(shape=[True])), "models.not_safetensors"),
    "a shape of fractions": (weights(tensor(shape=[1.5, 2])), "models.not_safetensors"),
    "a type that is a list": (weights(tensor(dtype=["F32"])), "models.not_safetensors"),
    "a type of a megabyte": (weights(tensor(dtype="F" * (1 << 20))), "models.not_safetensors"),
    "data that end before they begin": (weights(tensor(data_offsets=[1024, 0])), "models.not_safetensors"),
    "data beyond the file": (weights(tensor(data_offsets=[0, 1 << 39], shape=[1 << 37])), "models.cut_off"),
    "more values than bytes": (weights(tensor(shape=[1 << 30])), "models.not_safetensors"),
    "an entry that is a number": (weights({"a": 1}), "models.not_safetensors"),
    "an index that leads elsewhere": (
        written(INDEX, json.dumps({"weight_map": {"a": "../../secret.safetensors"}})), "",
    ),
    "an index that names what is not there": (
        written(INDEX, json.dumps({"weight_map": {"a": "x.safetensors"}})), "models.shard_missing",
    ),
    "an index of numbers": (written(INDEX, json.dumps({"weight_map": {"a": 7}})), "models.shard_missing"),
    "an index that is a list": (written(INDEX, "[]"), "models.bad_json"),
    "a pickle": (lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"), "models.pickled"),
    "code of its own": (config(auto_map={"AutoModel": "m.M"}), "models.remote_code"),
    "code of its own that is a number": (config(auto_map=5), "models.remote_code"),
    "code of its tokenizer": (written("tokenizer_config.json", '{"auto_map": {}}'), "models.remote_code"),
    "a tokenizer that is a list": (written("tokenizer.json", "[]"), "models.bad_json"),
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name, (_, key) in REFUSED.items() if key])
def test_a_folder_that_does_harm_is_refused(folder: Path, name: str) -> None:
    spoil, key = REFUSED[name]
    spoil(folder)
    with pytest.raises(BadInput) as refused:
        inspect(folder)
    assert refused.value.key == key
    assert len(refused.value.sentence("en")) < 1000


ODD: dict[str, tuple[Any, str]] = {
    "a number": (5, ""),
    "an object": ({}, ""),
    "an object with a nought": ({"0": "LlamaForCausalLM"}, ""),
    "nothing": (None, ""),
    "nothing in a list": ([None], ""),
    "a list in a list": ([["LlamaForCausalLM"]], ""),
    "an empty list": ([], ""),
    "a truth": (True, ""),
    "a word": ("LlamaForCausalLM", ""),
    "a fraction": (1e308, ""),
    "a megabyte": (["A" * (1 << 20)], "A" * 100),
    "a script": (["<script>alert(1)</script>"], "<script>alert(1)</script>"),
}
"""What may stand where the architectures do, and what is understood of it."""


@pytest.mark.parametrize("name", ODD)
def test_architectures_may_be_anything(folder: Path, name: str) -> None:
    value, understood = ODD[name]
    config(architectures=value)(folder)
    assert architecture(folder) == understood
    assert inspect(folder).architecture == (understood or "?")


@pytest.mark.parametrize(
    "value", [5, [], "x", None, True, {"hidden_size": "8"}, {"hidden_size": True}, {"text_config": {}}]
)
@pytest.mark.parametrize(
    "field", ["text_config", "quantization_config", "hidden_size", "tie_word_embeddings", "model_type"]
)
def test_fields_of_a_configuration_may_be_anything(folder: Path, field: str, value: Any) -> None:
    config(**{field: value})(folder)
    assert isinstance(inspect(folder), Inspected)


@pytest.mark.parametrize(
    "value", [5, [], [5], [{"name": "default"}], [{"name": [], "template": "x"}], {}, "  ", True]
)
def test_a_template_may_be_anything(folder: Path, value: Any) -> None:
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": value}))
    assert chat_template(folder) is None and not inspect(folder).chat_template


def test_an_index_reads_no_file_of_another_folder(folder: Path) -> None:
    (folder.parent / "secret.safetensors").write_bytes(b"secret")
    REFUSED["an index that leads elsewhere"][0](folder)
    assert inspect(folder).parameters == 320


def test_a_model_that_was_refused_is_not_in_the_studio(studio: Studio) -> None:
    folder = model_folder(studio.settings.models / "base")
    config(vocab_size=-1)(folder)
    with pytest.raises(StudioError):
        registry.add(studio, str(folder))
    assert registry.all_models(studio) == []


def test_known_models_are_far_below_the_limits() -> None:
    assert LIMITS["tokenizer.json"] > 1.5 * (34 << 20) and LIMITS["chat_template.jinja"] > 20 * (30 << 10)
