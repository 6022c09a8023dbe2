from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio_core.base.errors import BadInput
from studio_core.models.inspect import chat_template, inspect
from tests.unit.studio_core.models.folders import TEMPLATE, adapter_folder, model_folder, safetensors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return model_folder(tmp_path / "model")


def refusal(folder: Path, **given: object) -> str:
    with pytest.raises(BadInput) as caught:
        inspect(folder, **given)  # type: ignore[arg-type]
    # Whatever the language, the sentence can be said with the values at hand.
    assert caught.value.sentence("zh-CN") != caught.value.sentence()
    return caught.value.sentence()


def test_sizes_are_read_from_headers(folder: Path) -> None:
    found = inspect(folder)
    assert found.parameters == 32 * 8 + 8 * 8
    assert (found.architecture, found.precision) == ("LlamaForCausalLM", "F32")
    assert (found.hidden, found.layers, found.vocab, found.max_length) == (8, 2, 32, 128)
    assert found.chat_template and not found.own_code
    assert found.bytes == (folder / "model.safetensors").stat().st_size


def test_shards_are_counted_together(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    safetensors(folder / "model-00002-of-00002.safetensors", {"more": [10]}, "BF16")
    index = {
        "weight_map": {
            "embed": "model-00001-of-00002.safetensors",
            "more": "model-00002-of-00002.safetensors",
        }
    }
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert inspect(folder).parameters == 330
    (folder / "model-00002-of-00002.safetensors").unlink()
    assert "lacks model-00002-of-00002.safetensors" in refusal(folder)


def test_an_index_cannot_name_files_elsewhere(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"embed": "../../other.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "no weights" in refusal(folder)


def test_sizes_of_a_model_that_also_sees(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m", text_config={"hidden_size": 64, "vocab_size": 7})
    assert (inspect(folder).hidden, inspect(folder).vocab) == (64, 7)


def test_four_bit_weights_count_twice(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"load_in_4bit": True}
    (folder / "config.json").write_text(json.dumps(config))
    safetensors(folder / "model.safetensors", {"packed": [100]}, "U8")
    assert inspect(folder).parameters == 200
    assert inspect(folder).quantised


def test_no_folder(tmp_path: Path) -> None:
    assert "There is no folder" in refusal(tmp_path / "nowhere")


def test_no_config(tmp_path: Path) -> None:
    assert "no config.json" in refusal(tmp_path)


def test_adapter_alone(tmp_path: Path) -> None:
    assert "an adapter for org/base" in refusal(adapter_folder(tmp_path / "a"))


def test_no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    assert "has no tokenizer.json" in refusal(folder)
    (folder / "tokenizer.model").write_bytes(b"x")
    assert "only tokenizer.model" in refusal(folder)


def test_broken_json(folder: Path) -> None:
    (folder / "config.json").write_text("{")
    assert "config.json cannot be read" in refusal(folder)
    (folder / "config.json").write_text("[]")
    assert "not an object" in refusal(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pkl"])
def test_pickled_weights(folder: Path, name: str) -> None:
    (folder / "model.safetensors").rename(folder / name)
    assert "Use a version with *.safetensors" in refusal(folder)
    assert name in refusal(folder)


def test_pickled_weights_beside_safetensors_do_no_harm(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"x")
    assert inspect(folder).parameters == 320


def test_no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert "has no weights" in refusal(folder)


@pytest.mark.parametrize(
    "content", [b"", b"short", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0[]", b'\x0b\0\0\0\0\0\0\0{"a": "no"}']
)
def test_not_safetensors(folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").write_bytes(content)
    assert "not a safetensors file" in refusal(folder)


def test_a_shape_that_is_no_shape(folder: Path) -> None:
    block = b'{"a": {"dtype": "F32", "shape": ["9"], "data_offsets": [0, 0]}}'
    (folder / "model.safetensors").write_bytes(len(block).to_bytes(8, "little") + block)
    assert "not a safetensors file" in refusal(folder)


def test_cut_off_weights(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert "is incomplete" in refusal(folder)


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_remote_code_is_refused_unless_trusted(folder: Path, file: str) -> None:
    document = json.loads((folder / file).read_text())
    document["auto_map"] = {"AutoModel": "modeling.Evil"}
    (folder / file).write_text(json.dumps(document))
    assert "trust_remote_code" in refusal(folder)
    assert inspect(folder, trust_remote_code=True).own_code


def test_links_out_of_the_folder_are_refused_but_those_of_the_hubs_cache(tmp_path: Path) -> None:
    snapshot = model_folder(tmp_path / "models--a--b" / "snapshots" / "0a1b")
    blobs = tmp_path / "models--a--b" / "blobs"
    blobs.mkdir()
    for file in list(snapshot.iterdir()):
        file.rename(blobs / file.name)
        file.symlink_to(f"../../blobs/{file.name}")
    assert inspect(snapshot).parameters == 320
    (blobs / "config.json").rename(tmp_path / "secret.json")
    (snapshot / "config.json").unlink()
    (snapshot / "config.json").symlink_to(tmp_path / "secret.json")
    assert "links to a place" in refusal(snapshot)


def test_template_in_each_of_its_places(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m", template=False)
    assert chat_template(folder) is None
    assert not inspect(folder).chat_template
    named = [{"name": "tool_use", "template": "x"}, {"name": "default", "template": TEMPLATE}]
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": named}))
    assert chat_template(folder) == TEMPLATE
    (folder / "chat_template.jinja").write_text("own file")
    assert chat_template(folder) == "own file"
