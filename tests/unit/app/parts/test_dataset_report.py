"""The report of a dataset's page: what it says, and that nothing of the data is taken for a page."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.parts import report_charts, report_details, report_view
from app.parts.dataset import report as section_module
from app.parts.dataset.report import ReportSection
from studio_core.base.errors import NotFound
from studio_core.base.settings import bundled_folder
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, DatasetReport, Job
from studio_core.curation import making
from studio_core.data import store, versions
from studio_core.data.shapes import Shape
from studio_core.models import registry
from studio_core.reports import judging
from studio_core.reports.compute import compute
from studio_core.reports.document import Report
from studio_core.reports.features import features_path
from studio_core.reports.findings import FINDINGS
from studio_core.runs.spec import ResolvedModel
from studio_core.texts import LANGUAGES
from tests.unit.app.parts.by_name import ByName

HOSTILE = "<img src=x onerror=alert(1)><script>alert(1)</script>{0}${1}"


def request(**query: str) -> Any:
    return SimpleNamespace(cookies={}, headers={"accept-language": "en"}, query_params=query)


@pytest.fixture
def dataset(studio: Studio, tmp_path: Path) -> Dataset:
    registry.ensure_demo_models(studio)
    rows: list[dict[str, Any]] = [
        {"prompt": f"{HOSTILE} number {n}?", "chosen": f"surely it is {n}", "rejected": f"no, it is {n + 1}"}
        for n in range(60)
    ]
    rows += [rows[0], {**rows[1], "chosen": f"Write to {HOSTILE} ann@example.org"}, {"prompt": "x"}]
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return store.import_file(studio, file).dataset


def reported(studio: Studio, dataset: Dataset) -> Report:
    """A stored report, without a worker's process."""
    path = versions.parquet_path(studio, dataset)
    model = ResolvedModel(name="tiny-chat", path=str(bundled_folder() / "models" / "tiny-chat"))
    suites = studio.settings.home / f"{'exam'}.txt"
    suites.write_text("one two three four five six seven eight nine ten eleven twelve thirteen\n")
    report = compute(
        path,
        Shape(dataset.shape),
        features_path(path),
        model=model,
        limit=20,
        suites={HOSTILE: suites},
        others={HOSTILE: path},
    )
    with studio.db.write() as session:
        session.add(
            DatasetReport(dataset_id=dataset.id, tokenizer="tiny-chat", body=report.model_dump(mode="json"))
        )
    found = judging.stored_report(studio, dataset)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("language", "words"), [("en", "created without a tokenizer"), ("zh-CN", "没有选择分词器")]
)
def test_a_report_without_a_tokenizer_says_so_and_offers_one(
    studio: Studio, dataset: Dataset, language: str, words: str
) -> None:
    path = versions.parquet_path(studio, dataset)
    without = compute(
        path, Shape(dataset.shape), features_path(path), model=None, limit=20, suites={}, others={}
    )
    shown = report_details.details(without, language, "")
    assert words in shown and 'data-make="1"' in shown
    assert "data-make" not in report_details.details(reported(studio, dataset), language, "")


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_is_said_and_nothing_is_a_page(studio: Studio, dataset: Dataset, language: str) -> None:
    report = reported(studio, dataset)
    records = judging.records_at(studio, dataset, [1, 2, 61])
    shown = "".join(
        [
            report_view.summary(report, dataset, language),
            report_details.details(report, language, HOSTILE),
            report_view.found_rows(
                records, dataset, judging.about_rows(studio, dataset, [1, 2, 61]), language
            ),
        ]
    )
    assert "<script" not in shown and "<img" not in shown and "&lt;script&gt;" in shown
    for name in ("exact_duplicate", "personal_data", "in_other_version"):
        assert f'id="finding-{name}"' in shown
    assert (
        f"/dataset?id={dataset.id}&amp;tab=improve&amp;operation=filter&amp;findings=exact_duplicate" in shown
    )
    assert f"/dataset?id={dataset.id}&amp;tab=improve&amp;operation=mask" in shown
    assert "surely" in shown  # The word that gives the chosen side away.


def test_every_finding_that_can_be_mended_has_a_way_to_it() -> None:
    shown = {
        *report_view._FILTERED,
        "personal_data",
        "repeated_prompt",
        "control_tokens",
        "rendered_template",
    }
    assert set(FINDINGS) - shown == {"near_prompt", "different_answers"}


def test_charts_hold_what_was_counted(studio: Studio, dataset: Dataset) -> None:
    report = reported(studio, dataset)
    charts = {chart["name"]: chart for chart in json.loads(report_charts.payload(report, "en"))["charts"]}
    assert {"tokens", "words", "quality", "markers"} <= set(charts)
    assert sum(charts["tokens"]["bars"]) + charts["tokens"]["beyond"] == report.rows == 62
    assert charts["tokens"]["limit"] == 20
    assert {"surely", "surely …", "no", "no …"} <= set(charts["markers"]["labels"])


def test_the_rows_of_a_finding_are_turned(studio: Studio, dataset: Dataset) -> None:
    reported(studio, dataset)
    section = ReportSection(studio, ByName())
    asked = request(id="mine")
    first = section.chosen("in_other_version", asked)
    assert "1 to 20 of 62" in first["position"] and first["offset"] == 0
    assert first["rows"].count("<tr>") == 21
    last = section.forward("in_other_version", 40, asked)
    assert "61 to 62 of 62" in last["position"] and last["offset"] == 60
    assert section.forward("in_other_version", 60, asked)["offset"] == 60
    assert section.back("in_other_version", 0, asked)["offset"] == 0
    assert "duplicate of 1" in section.chosen("exact_duplicate", asked)["rows"]
    look = section.chosen("look", asked)
    assert (
        "of 2" in look["position"] and "Exact duplicates" in look["rows"] and "Personal data" in look["rows"]
    )
    with pytest.raises(NotFound):
        section.chosen(HOSTILE, asked)


def test_opening_the_tab_asks_for_a_report_once(
    studio: Studio, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(section_module, "ensure_engine", lambda _: None)
    section = ReportSection(studio, ByName())
    asked = request(id="mine", tab="report")
    begun = section.open(asked)
    job = begun["job"]
    assert job and begun["timer"].active and begun["summary"] == ""
    assert section.selected(asked)["job"] == section.make("tiny-chat", 1024, asked)["job"] == job
    going = section.look(job, asked)
    assert "Starting the report" in going["status"] and list(going) == ["status"]
    with studio.db.read() as session:
        assert session.get_one(Job, job).method == making.REPORT
    quiet = ReportSection(studio, ByName()).open(request(id="mine"))
    assert quiet["job"] == 0 and not quiet["timer"].active and "no report" in quiet["summary"].lower()
    reported(studio, dataset)
    shown = section.open(request(id="mine", tab="report", finding="personal_data"))
    assert "Records 1 to 1 of 1" in shown["position"] and shown["job"] == 0
