"""A merge of adapters on the Runs page, and its result on the Models page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.pages import models
from app.pages.runs import RunsPage
from app.parts import run_list
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.models import merging
from studio_core.runs.spec import MergeSpec
from tests.unit.app.parts.test_data_job_view import Named, request
from tests.unit.studio_core.models.folders import adapter_folder
from tests.unit.studio_core.models.test_merging import adapter, base

__all__ = ["base"]  # A fixture.


@pytest.fixture
def job(studio: Studio, base: Any) -> Job:
    for name in ("one", "two"):
        adapter(studio, base, name)
    return merging.submit(studio, MergeSpec(adapters={"one": 0.7, "two": 0.3}, name="both"))


def opened(studio: Studio, job: Job) -> str:
    page = RunsPage(studio, Named())
    return "".join(str(part) for part in page.opened(request(run=str(job.id))).values())


def test_the_list_has_it_among_merges_only(studio: Studio, job: Job) -> None:
    shown = run_list.jobs_page(studio, "en", "all", None, "merge")
    assert "both" in shown and "CAT ← 0.7 × one + 0.3 × two" in shown
    assert "0.7 × one" not in run_list.jobs_page(studio, "en", "all", None, "train")


def test_its_page_says_what_is_merged_and_what_came_of_it(studio: Studio, job: Job) -> None:
    page = opened(studio, job)
    assert "0.7 × one + 0.3 × two" in page and "Concatenation" in page and "density" in page
    assert "/chat?models=" not in page
    adapter_folder(Path(str(job.run_dir)) / "model")
    made = merging.register_result(studio, job, {"model": "model", "kind": "adapter"})
    assert f"/chat?models=base,{made.name}" in opened(studio, job)
    listed = str(models.page(studio, "en"))
    assert "CAT · 0.7 × one + 0.3 × two" in listed and f"/runs?run={job.id}" in listed
