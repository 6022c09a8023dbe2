"""Models written by tools that are no part of the studio: each test runs where its tool is installed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from studio_core.base.studio import Studio
from studio_core.data import store
from studio_core.exports import FORMATS, results
from studio_core.exports.manifest import Manifest
from tests.integration.test_export import adapter, exported, same, studio_with_models

__all__ = ["studio_with_models"]  # A fixture.
pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.

SUMS = 24
CALIBRATED = {"dataset": "talk", "rows": 32, "max_length": 128}


def needs(format: str) -> None:
    """Skip where its tool, or the GPU that it asks for, is missing."""
    if problem := FORMATS[format].missing(FORMATS[format].Options()):
        pytest.skip(problem.sentence())


@pytest.fixture
def talk(studio_with_models: Studio, tmp_path: Path) -> Iterator[None]:
    file = tmp_path / "talk.jsonl"
    lines = [
        {"prompt": f"What is {n} + {n % 7}?", "completion": f"The answer is \\boxed{{{n + n % 7}}}."}
        for n in range(60)
    ]
    file.write_text("\n".join(map(json.dumps, lines)))
    store.import_file(studio_with_models, file, name="talk")
    yield


def measured(studio: Studio, model: str, format: str, **options: Any) -> tuple[Manifest, Path]:
    job, manifest = exported(studio, model, format, prompts=SUMS, **options)
    print(format, options, manifest.parity, sum(file.size for file in manifest.files.values()))
    assert not [name for name in manifest.files if name.startswith(".")]
    return manifest, results.folder_of(job)


def test_an_onnx_graph_answers_as_the_original(studio_with_models: Studio) -> None:
    needs("onnx")
    manifest, _ = measured(studio_with_models, "tiny-chat", "onnx")
    assert same(manifest) == (SUMS, SUMS, SUMS)
    assert {"model.onnx", "model.onnx.data", "tokenizer.json", "chat_template.jinja"} <= manifest.files.keys()
    assert manifest.parity is not None and manifest.parity.answered_by.startswith("onnxruntime ")
    assert manifest.versions["onnxscript"]


def test_an_adapter_is_part_of_its_onnx_graph(studio_with_models: Studio) -> None:
    needs("onnx")
    adapter(studio_with_models, "tiny-chat")
    assert same(measured(studio_with_models, "poet", "onnx")[0]) == (SUMS, SUMS, SUMS)


@pytest.mark.parametrize("bits", ["stored", "8", "4"])
def test_mlx_answers_as_the_original_and_with_fewer_bits_nearly(
    studio_with_models: Studio, bits: str
) -> None:
    needs("mlx")
    manifest, _ = measured(studio_with_models, "tiny-chat", "mlx", bits=bits)
    n, tokens, of = same(manifest)
    assert tokens == of and n >= (SUMS if bits == "stored" else SUMS // 2)


def test_an_adapter_is_part_of_its_mlx_model(studio_with_models: Studio) -> None:
    needs("mlx")
    adapter(studio_with_models, "tiny-chat")
    n, tokens, of = same(measured(studio_with_models, "poet", "mlx", bits="stored")[0])
    assert tokens == of and n >= SUMS // 2


def test_fp8_holds_weights_of_eight_bits(studio_with_models: Studio) -> None:
    needs("fp8")
    manifest, folder = measured(studio_with_models, "tiny-chat", "fp8")
    n, tokens, of = same(manifest)
    assert tokens == of and n >= SUMS // 2
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        weight = file.get_tensor("model.layers.0.mlp.up_proj.weight")
    assert weight.dtype == torch.float8_e4m3fn


@pytest.mark.usefixtures("talk")
def test_gptq_is_calibrated_on_rows_of_a_dataset(studio_with_models: Studio) -> None:
    needs("gptq")
    manifest, folder = measured(studio_with_models, "tiny-chat", "gptq", **CALIBRATED)
    assert same(manifest)[1] == SUMS and manifest.details == {"rows": 32}
    quantised = json.loads((folder / "config.json").read_text())["quantization_config"]
    assert quantised["config_groups"]["group_0"]["weights"]["group_size"] == 64


@pytest.mark.usefixtures("talk")
def test_awq_is_calibrated_on_rows_of_a_dataset(studio_with_models: Studio) -> None:
    needs("awq")
    manifest, _ = measured(studio_with_models, "tiny-chat", "awq", **CALIBRATED)
    assert same(manifest)[1] == SUMS and manifest.details == {"rows": 32}
