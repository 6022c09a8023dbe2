"""An export on the Export page, on the Runs page and in its list."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.pages import export, models
from app.pages.export import ExportPage
from app.pages.runs import RunsPage
from app.parts import run_list
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.data import store
from studio_core.exports import results, submitting
from studio_core.exports.parity import compared
from studio_core.models import registry
from studio_core.runs import queue
from studio_core.runs.spec import ExportSpec
from tests.unit.app.parts.test_data_job_view import Named, request

EVIL = "<img src=x>"


@pytest.fixture
def job(studio: Studio) -> Job:
    registry.ensure_demo_models(studio)
    job = submitting.submit(studio, ExportSpec(model="tiny-chat", format="gguf", name="mine"))
    folder = results.folder_of(job)
    folder.mkdir(parents=True)
    parity = compared(
        ["a", EVIL], ["same", EVIL], ["same", "b"], 2, suite="sums", max_tokens=9, answered_by="it"
    )
    entry = {"size": 5, "sha256": "f" * 64, "crc32": 0}
    document = {
        "format": "gguf", "options": {}, "model": "tiny-chat", "versions": {}, "created_at": "", "seconds": 1,
        "files": {EVIL: entry}, "parity": parity.model_dump(),
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(document))
    return job


def test_its_page_shows_the_comparison_and_the_files(studio: Studio, job: Job) -> None:
    page = RunsPage(studio, Named())
    shown = "".join(str(part) for part in page.opened(request(run=str(job.id))).values())
    assert "1 / 2" in shown and "2 / 2" in shown and "First difference: prompt 2" in shown
    assert f"/api/exports/{job.id}/archive" in shown and "%3Cimg" in shown
    assert EVIL not in shown and "&lt;img src=x&gt;" in shown


def test_the_list_has_it_among_exports_only(studio: Studio, job: Job) -> None:
    assert "GGUF ← tiny-chat" in run_list.jobs_page(studio, "en", "all", None, "export")
    assert "GGUF ← tiny-chat" not in run_list.jobs_page(studio, "en", "all", None, "train")
    assert "1 / 2" in export.recent(studio, "en")


def test_models_lead_to_it(studio: Studio, job: Job) -> None:
    assert 'href="/export?model=tiny-chat"' in models.page(studio, "en")


def started(studio: Studio, monkeypatch: pytest.MonkeyPatch, *given: Any) -> str:
    monkeypatch.setattr(export, "ensure_engine", lambda studio: None)
    return ExportPage(studio, Named()).export_started.__wrapped__(
        ExportPage(studio, Named()), request(), *given
    )


def test_a_click_is_a_job_with_the_options_of_its_format(
    studio: Studio, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = ["Q8_0", "F16", 512, 0.5, 0.9, "Be short.", "stored", "F32"]
    address = started(studio, monkeypatch, "tiny-chat", "ollama", "sums", 7, 20, "key", *values)
    assert address == started(studio, monkeypatch, "tiny-chat", "ollama", "sums", 7, 20, "key", *values)
    made = queue.get(studio, int(address.rpartition("=")[2]))
    wanted = {"type": "F16", "num_ctx": 512, "temperature": 0.5, "top_p": 0.9, "system": "Be short."}
    assert made.spec["run"]["options"] == wanted and len(made.spec["run"]["prompts"]) == 7


def test_a_format_that_does_not_take_the_model_says_why(studio: Studio, job: Job) -> None:
    shown = ExportPage(studio, Named()).chosen("tiny-chat", "adapter", request())
    assert any("not an adapter" in str(part) for part in shown.values())


def test_calibration_is_offered_the_datasets_that_there_are(studio: Studio, job: Job) -> None:
    store.ensure_samples(studio)
    shown: dict[Any, Any] = dict(ExportPage(studio, Named()).opened(request()))
    for format in ("awq", "gptq"):
        assert ("worked-sums@1", "worked-sums@1") in shown[f"{format}.dataset"]["choices"]
