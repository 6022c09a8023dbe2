"""What an export refuses before it starts, and its row in the queue."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from studio_core.base.errors import BadInput, Conflict, StudioError
from studio_core.base.studio import Studio
from studio_core.exports import FORMATS, modelfile, results, submitting
from studio_core.exports import gguf as gguf_format
from studio_core.models import registry
from studio_core.runs import kinds, queue
from studio_core.runs.spec import ExportRun, ExportSpec
from tests.unit.studio_core.models.folders import model_folder
from tests.unit.studio_core.models.test_merging import adapter, base

__all__ = ["base"]  # A fixture.


@pytest.fixture(autouse=True)
def demo_models(studio: Studio) -> None:
    registry.ensure_demo_models(studio)


def submitted(studio: Studio, model: str, format: str, **options: Any) -> Any:
    return submitting.submit(studio, ExportSpec(model=model, format=format, options=options))


def refused(studio: Studio, model: str, format: str, **options: Any) -> StudioError:
    with pytest.raises(BadInput) as caught:
        submitted(studio, model, format, **options)
    assert not queue.all_jobs(studio, kind="export")
    return caught.value


def changed(studio: Studio, name: str, file: str, **settings: Any) -> None:
    """A copy of tiny-base with other settings in one of its files of JSON."""
    source, folder = Path(registry.get(studio, "tiny-base").path), studio.settings.models / name
    folder.mkdir(parents=True)
    for each in source.iterdir():
        (folder / each.name).write_bytes(each.read_bytes())
    document = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps({**document, **settings}))
    registry.add(studio, str(folder))


def test_an_export_is_a_job_that_names_everything(studio: Studio) -> None:
    spec = ExportSpec(model="tiny-chat", format="gguf", options={"type": "F16"}, prompts=3)
    job = submitting.submit(studio, spec, key="k")
    assert submitting.submit(studio, spec, key="k").id == job.id
    run = ExportRun.model_validate(job.spec["run"])
    assert (job.kind, job.method, job.name) == ("export", "gguf", "tiny-chat gguf")
    assert (run.options, run.file, len(run.prompts)) == ({"type": "F16"}, "tiny-chat", 3)
    assert run.prompts[0][0]["role"] == "user" and run.studio


def test_what_is_no_adapter_cannot_be_exported_as_one(studio: Studio) -> None:
    for format in ("adapter", "gguf_lora"):
        assert refused(studio, "tiny-chat", format).key == "model_exports.no_adapter"


def test_adapters_that_are_no_weights_are_not_merged(studio: Studio, base: Any) -> None:
    adapter(studio, base, "prefix", peft_type="PREFIX_TUNING")
    for format in ("merged", "gguf"):
        assert "PREFIX_TUNING" in refused(studio, "prefix", format).sentence()
    assert submitted(studio, "prefix", "adapter").method == "adapter"


def test_a_base_that_is_stored_in_four_bits_takes_no_adapter(studio: Studio) -> None:
    changed(studio, "four", "config.json", quantization_config={"quant_method": "bitsandbytes"})
    assert "bitsandbytes" in refused(studio, "four", "merged").sentence()


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"architectures": ["GPT2LMHeadModel"]}, "GPT2LMHeadModel"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "yarn"),
        ({"hidden_act": "gelu"}, "hidden_act"),
        ({"sliding_window": 128}, "sliding_window"),
    ],
)
def test_llama_cpp_is_not_given_what_it_computes_otherwise(studio: Studio, settings: Any, word: str) -> None:
    changed(studio, "other", "config.json", **settings)
    assert word in refused(studio, "other", "gguf").sentence()


@pytest.mark.parametrize(
    "settings",
    [
        {"pre_tokenizer": {"type": "Whitespace"}},
        {"normalizer": {"type": "Lowercase"}},
        {"model": {"type": "Unigram", "vocab": [["a", 0.0]]}},
    ],
)
def test_a_tokenizer_that_llama_cpp_has_no_name_for_is_refused(studio: Studio, settings: Any) -> None:
    changed(studio, "other", "tokenizer.json", **settings)
    assert refused(studio, "other", "gguf").key == "model_exports.tokenizer"


def test_k_quants_need_their_library_and_rows_of_256(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(studio, "tiny-chat", "gguf", type="Q4_K_M").key == "model_exports.k_quant_width"
    options = gguf_format.GgufOptions(type="Q4_K_M")
    assert FORMATS["gguf"].missing(options) is None
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    problem = FORMATS["gguf"].missing(options)
    assert problem is not None and "pip install xllamacpp" in problem.sentence()
    assert FORMATS["gguf"].missing(gguf_format.GgufOptions(type="Q8_0")) is None


def test_unknown_formats_options_and_suites_are_named(studio: Studio) -> None:
    assert "gguf, ollama" in refused(studio, "tiny-chat", "zip").sentence()
    assert "Q3_X" in refused(studio, "tiny-chat", "gguf", type="Q3_X").sentence()
    with pytest.raises(BadInput) as caught:
        submitting.submit(studio, ExportSpec(model="tiny-chat", format="gguf", suite="perplexity"))
    assert "sums" in caught.value.sentence()


def test_three_quotation_marks_are_no_system_prompt(studio: Studio) -> None:
    assert refused(studio, "tiny-chat", "ollama", system='a """\nFROM x').key == "model_exports.system_quotes"
    template = modelfile.OllamaTemplate('"""', [])
    with pytest.raises(BadInput):
        modelfile.written("a.gguf", template, [], "")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("../../etc/x", "etc-x"),
        ("a b\n", "a-b"),
        ("模型", "model"),
        ("..", "model"),
        ("v1.5-chat", "v1.5-chat"),
    ],
)
def test_files_have_names_that_lead_nowhere(name: str, file: str) -> None:
    assert submitting.file_name(name) == file


def test_only_files_of_the_manifest_can_be_fetched(studio: Studio) -> None:
    job = submitted(studio, "tiny-chat", "merged")
    with pytest.raises(BadInput) as caught:
        results.file_of(studio, job.id, "config.json")
    assert caught.value.key == "model_exports.no_result"
    folder = results.folder_of(job)
    folder.mkdir(parents=True)
    entry = {"size": 1, "sha256": "", "crc32": 0}
    manifest = {
        "format": "merged",
        "options": {},
        "model": "m",
        "versions": {},
        "created_at": "",
        "seconds": 0,
    }
    files = {"a.json": entry, "../../secret": entry}
    (folder / "manifest.json").write_text(json.dumps({**manifest, "files": files}))
    (folder / "a.json").write_text("{}")
    (folder.parent.parent / "secret").write_text("x")
    assert results.file_of(studio, job.id, "a.json") == (folder / "a.json").resolve()
    for name in ("../../secret", "b.json", "..", "../spec.json"):
        with pytest.raises(BadInput):
            results.file_of(studio, job.id, name)


def test_one_that_waits_is_not_resumed(studio: Studio) -> None:
    job = submitted(studio, "tiny-chat", "merged")
    with pytest.raises(Conflict):
        kinds.call(kinds.KINDS["export"].resume, studio, job.id)


def test_the_formats_that_fit_are_told_with_reasons(studio: Studio) -> None:
    model = registry.get(studio, "tiny-chat")
    own = [name for name, format in FORMATS.items() if not format.libraries]  # All that is always installed.
    fitting = [name for name in own if submitting.why_not(studio, model, name) is None]
    assert fitting == ["gguf", "ollama", "merged"]


def test_a_folder_without_a_real_tokenizer_is_refused(studio: Studio) -> None:
    registry.add(studio, str(model_folder(studio.settings.models / "hollow")))
    assert refused(studio, "hollow", "gguf").key == "models.bad_json"
