"""Models exported by the worker: what is written answers as the original does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, Qwen2Config, Qwen3Config

from jobs.export import gguf_file, gguf_vocabulary
from studio_core.base import atomic
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio, open_studio
from studio_core.base.tables import Job, Model
from studio_core.exports import results, submitting
from studio_core.exports.base import Subject
from studio_core.exports.manifest import Manifest
from studio_core.models import registry
from studio_core.runs import kinds, queue, run_folder
from studio_core.runs.spec import ExportSpec

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.

LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


@pytest.fixture
def studio_with_models(studio: Studio) -> Studio:
    registry.ensure_demo_models(studio)
    return studio


def adapter(studio: Studio, base: str, name: str = "poet", **settings: Any) -> Model:
    """What a training with LoRA leaves; of random weights that change most answers, as learnt ones do."""
    torch.manual_seed(7)
    row = registry.get(studio, base)
    settings = {"r": 4, "lora_alpha": 6, "target_modules": LAYERS, "init_lora_weights": False, **settings}
    job = queue.submit(studio, kind="train", name=name, method="sft", spec={"run": {"model": {"id": row.id}}})
    folder = Path(str(job.run_dir)) / run_folder.MODEL
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(row.path), LoraConfig(**settings))
    for part, weight in model.named_parameters():
        if "lora_" in part:
            weight.data.mul_(0.2)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(row.path).save_pretrained(folder)
    return registry.register_result(studio, job, {"model": run_folder.MODEL, "kind": "adapter"})


def exported(
    studio: Studio, model: str, format: str, *, prompts: int = 120, **options: Any
) -> tuple[Job, Manifest]:
    spec = ExportSpec(model=model, format=format, options=options, prompts=prompts, max_tokens=32)
    job = submitting.submit(studio, spec)
    folder = Path(str(job.run_dir))
    folder.mkdir(parents=True)
    atomic.write_json(folder / run_folder.SPEC, job.spec["run"])
    kinds.call(kinds.KINDS[job.kind].script, folder)
    return results.get(studio, job.id)


def same(manifest: Manifest) -> tuple[int, int, int]:
    assert manifest.parity is not None
    return manifest.parity.same_text, manifest.parity.same_tokens, manifest.parity.prompts


@pytest.mark.parametrize("type", ["F32", "F16", "Q8_0"])
def test_a_gguf_answers_120_sums_as_the_original(studio_with_models: Studio, type: str) -> None:
    _, manifest = exported(studio_with_models, "tiny-chat", "gguf", type=type)
    assert same(manifest) == (120, 120, 120)
    assert list(manifest.files) == [f"tiny-chat-{type}.gguf"]
    assert manifest.parity is not None and manifest.parity.low > 0.96


def test_four_bits_answer_most_of_them(studio_with_models: Studio) -> None:
    _, manifest = exported(studio_with_models, "tiny-chat", "gguf", type="Q4_0")
    n, tokens, of = same(manifest)
    assert tokens == of and 100 <= n < of
    assert manifest.parity is not None and manifest.parity.first is not None
    first = manifest.parity.first
    assert first.original != first.exported and first.prompt
    assert f"prompt {first.number}" in manifest.parity.sentence()


@pytest.mark.parametrize("type", ["Q6_K", "Q4_K_M", "Q2_K"])
def test_a_k_quant_is_read_and_computed_by_llama_cpp(studio_with_models: Studio, type: str) -> None:
    """Of a model wide enough for their blocks, with a way down that is not."""
    torch.manual_seed(5)
    folder = studio_with_models.settings.home / "models" / "wide"
    config = AutoConfig.from_pretrained(registry.get(studio_with_models, "tiny-chat").path)
    config.update(
        {"hidden_size": 256, "intermediate_size": 800, "num_attention_heads": 8, "num_key_value_heads": 2}
    )
    config.update({"head_dim": 32, "num_hidden_layers": 3, "dtype": "float32"})
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(registry.get(studio_with_models, "tiny-chat").path).save_pretrained(folder)
    registry.add(studio_with_models, str(folder), name="wide")
    job, manifest = exported(studio_with_models, "wide", "gguf", prompts=24, type=type)
    assert manifest.parity is not None and manifest.parity.same_tokens == manifest.parity.prompts == 24
    [file] = [file for file in results.folder_of(job).iterdir() if file.suffix == ".gguf"]
    types = {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(file).tensors}
    coarse = {"Q6_K": ("Q6_K", "Q8_0"), "Q4_K_M": ("Q4_K", "Q5_0"), "Q2_K": ("Q2_K", "Q4_0")}[type]
    assert (types["blk.1.ffn_up.weight"], types["blk.1.ffn_down.weight"]) == coarse
    assert types["blk.0.attn_norm.weight"] == "F32" and types["token_embd.weight"] == "Q6_K"


@pytest.mark.parametrize("format", ["merged", "adapter", "gguf_lora", "gguf"])
def test_an_adapter_answers_120_sums_in_every_form(studio_with_models: Studio, format: str) -> None:
    adapter(studio_with_models, "tiny-chat")
    options = {"gguf": {"type": "F32"}, "gguf_lora": {"type": "F32"}, "merged": {"precision": "float32"}}
    job, manifest = exported(studio_with_models, "poet", format, **options.get(format, {}))
    assert same(manifest) == (120, 120, 120)
    assert not [file for file in results.folder_of(job).iterdir() if file.name.startswith(".")]
    assert any(name.startswith("adapter/") for name in manifest.source)


def test_merging_adds_what_was_learnt_in_full_precision(studio_with_models: Studio) -> None:
    learnt = adapter(studio_with_models, "tiny-base", use_rslora=True)
    job, _ = exported(studio_with_models, "poet", "merged", prompts=0, precision="float32")
    merged = load_file(results.folder_of(job) / "model.safetensors")
    base = load_file(Path(registry.get(studio_with_models, "tiny-base").path) / "model.safetensors")
    parts = load_file(Path(learnt.path) / "adapter_model.safetensors")
    name = "model.layers.1.self_attn.k_proj"
    a, b = (parts[f"base_model.model.{name}.lora_{which}.weight"] for which in "AB")
    wanted = base[f"{name}.weight"].float() + 6 / 4**0.5 * b @ a
    torch.testing.assert_close(merged[f"{name}.weight"], wanted)


def test_the_manifest_tells_what_the_files_are(studio_with_models: Studio) -> None:
    job, manifest = exported(studio_with_models, "tiny-base", "merged", prompts=2)
    folder = results.folder_of(job)
    assert {file.name for file in folder.iterdir()} == {*manifest.files, "manifest.json"}
    assert {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "chat_template.jinja",
    } <= manifest.files.keys()
    assert manifest.source["model.safetensors"] == manifest.files["model.safetensors"].sha256
    assert manifest.versions["gguf"] and (manifest.model, manifest.format) == ("tiny-base", "merged")
    assert json.loads((folder / "manifest.json").read_text())["parity"]["same_text"] == 2


def test_a_modelfile_stands_beside_its_weights(studio_with_models: Studio) -> None:
    job, manifest = exported(
        studio_with_models, "tiny-chat", "ollama", prompts=20, type="F16", temperature=0.2, system="Be short."
    )
    text = (results.folder_of(job) / "Modelfile").read_text()
    assert text.startswith("FROM ./tiny-chat-F16.gguf\nTEMPLATE ")
    for line in ('PARAMETER stop """<|end|>"""', "PARAMETER num_ctx 1024", "PARAMETER temperature 0.2"):
        assert line in text.splitlines()
    assert 'SYSTEM """Be short."""' in text
    assert same(manifest) == (20, 20, 20)


@pytest.mark.parametrize("config", [Qwen2Config, Qwen3Config])
def test_other_architectures_are_computed_alike(studio: Studio, config: Any) -> None:
    """Of random weights, whose likeliest tokens are hardly likelier than others: one wrong row would change them all,
    and rounding changes a few."""
    registry.ensure_demo_models(studio)
    source = Path(registry.get(studio, "tiny-chat").path)
    folder = studio.settings.models / "other"
    torch.manual_seed(3)
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    settings = config(
        vocab_size=1160, intermediate_size=96, head_dim=32, max_position_embeddings=512, **sizes
    )
    if config is Qwen2Config:
        settings.head_dim = 16  # What it computes with, whatever it was told.
    model = AutoModelForCausalLM.from_config(settings)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(3)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)
    registry.add(studio, str(folder))
    _, manifest = exported(studio, "other", "gguf", prompts=24, type="F32")
    n, tokens, of = same(manifest)
    assert tokens == of and n >= of // 2


@pytest.mark.real_data
def test_a_model_without_a_chat_template_continues_texts(tmp_path: Path, real_data: Path) -> None:
    studio = open_studio(home=tmp_path / "home", model_roots=str(real_data.resolve()))
    registry.add(studio, str(real_data.resolve() / "stories260K"))
    _, manifest = exported(studio, "stories260K", "gguf", type="F32")
    studio.close()
    n, tokens, of = same(manifest)
    assert tokens == of == 120 and n >= 112


def test_rows_of_heads_are_put_in_pairs() -> None:
    rows = torch.arange(8)[:, None]  # Two heads of four.
    assert gguf_file.interleaved(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_weights_too_large_for_a_precision_are_refused(studio_with_models: Studio) -> None:
    folder = studio_with_models.settings.models / "large"
    row = registry.get(studio_with_models, "tiny-base")
    model = AutoModelForCausalLM.from_pretrained(row.path, dtype=torch.float32)
    model.model.layers[0].mlp.up_proj.weight.data[0, 0] = 1e6
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(row.path).save_pretrained(folder)
    registry.add(studio_with_models, str(folder))
    with pytest.raises(BadInput) as caught:
        exported(studio_with_models, "large", "gguf", prompts=0, type="F16")
    assert caught.value.key == "model_exports.overflow" and "BF16" in caught.value.sentence()


def test_a_tokenizer_with_more_tokens_than_the_model_has_rows_is_refused(studio_with_models: Studio) -> None:
    subject = Subject.of(registry.resolve(studio_with_models, "tiny-base"))
    small: Any = replace(subject, config={**subject.config, "vocab_size": 100})
    with pytest.raises(BadInput, match="1152 tokens, 100 rows"):
        gguf_vocabulary.add(gguf.GGUFWriter(None, "llama"), small, None)
