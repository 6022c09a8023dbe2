"""Formats that tools of others write: refused with what is missing, and never imported to find that out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio_core.base.errors import BadInput, NotFound
from studio_core.base.gpus import Gpus
from studio_core.base.studio import Studio
from studio_core.data import store
from studio_core.exports import FORMATS, llm_compressor, submitting, tools
from studio_core.exports.base import Subject
from studio_core.models import registry
from studio_core.runs import queue
from studio_core.runs.spec import ExportRun, ExportSpec
from tests.fake_nvml import Card, FakeNvml

NEEDED = {"onnx": "onnxscript", "mlx": "mlx_lm", "fp8": "llmcompressor", "gptq": "llmcompressor"}

Installed = Callable[[bool], None]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Installed:
    """Has every tool be there, or none."""
    return lambda there: monkeypatch.setattr(tools, "find_spec", lambda name: object() if there else None)


@pytest.fixture(autouse=True)
def demo_models(studio: Studio) -> None:
    registry.ensure_demo_models(studio)


def problem(format: str, **options: Any) -> BadInput | None:
    return FORMATS[format].missing(FORMATS[format].checked(options))


@pytest.mark.parametrize("format", NEEDED)
def test_a_tool_that_is_missing_is_told_with_the_way_to_it(
    studio: Studio, installed: Installed, format: str
) -> None:
    installed(False)
    with pytest.raises(BadInput) as caught:
        submitting.submit(studio, ExportSpec(model="tiny-chat", format=format))
    for language in ("en", "zh-CN"):
        sentence = caught.value.sentence(language)
        assert NEEDED[format] in sentence and "pip install" in sentence
    assert not queue.all_jobs(studio, kind="export")
    installed(True)
    assert problem(format) is None
    assert NEEDED[format] not in sys.modules


def test_what_is_installed_is_not_asked_for() -> None:
    lacking = tools.Tool("A tool", ("json", "no_such_module"), "pip install it").missing()
    assert lacking is not None and "lacks no_such_module." in lacking.sentence()


def test_awq_asks_for_a_gpu(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(True)
    monkeypatch.setattr(tools, "_gpus", lambda: Gpus(FakeNvml()))
    lacking = problem("awq")
    assert lacking is not None and lacking.key == "model_exports.no_gpu"
    monkeypatch.setattr(tools, "_gpus", lambda: Gpus(FakeNvml([Card("GPU-a")])))
    assert problem("awq") is None


@pytest.mark.parametrize(
    ("config", "size", "key", "word"),
    [
        ({"hidden_size": 192, "intermediate_size": 512}, "128", "model_exports.group_size", "to 64,"),
        ({"hidden_size": 4096, "intermediate_size": 1056}, "64", "model_exports.group_size", "to 32,"),
        ({"hidden_size": 200}, "auto", "model_exports.no_group_size", "as gguf."),
    ],
)
def test_groups_divide_the_rows(config: dict[str, int], size: str, key: str, word: str) -> None:
    for format in ("awq", "gptq"):
        options = FORMATS[format].checked({"group_size": size})
        [found] = FORMATS[format].against(Subject("m", Path("m"), config=config), options)
        assert found.key == key and word in found.sentence()


def test_the_largest_group_that_fits_is_taken() -> None:
    options = llm_compressor.CalibratedOptions()
    widths = {4096: 128, 192: 64, 96: 32, 200: None}
    assert {width: llm_compressor.group_size({"hidden_size": width}, options) for width in widths} == widths


def test_calibration_names_a_dataset(studio: Studio, installed: Installed, tmp_path: Path) -> None:
    installed(True)

    def submit(**options: Any) -> ExportRun:
        spec = ExportSpec(model="tiny-chat", format="gptq", options=options)
        return ExportRun.model_validate(submitting.submit(studio, spec).spec["run"])

    with pytest.raises(BadInput) as caught:
        submit()
    assert caught.value.key == "model_exports.no_calibration"
    with pytest.raises(NotFound):
        submit(dataset="nowhere")
    file = tmp_path / "talk.jsonl"
    file.write_text(json.dumps({"prompt": "a", "completion": "b"}) + "\n")
    store.import_file(studio, file, name="talk")
    run = submit(dataset="talk")
    assert run.calibration is not None and (run.calibration.name, run.calibration.rows) == ("talk", 1)
