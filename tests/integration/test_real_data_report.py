"""Reports on data of the wild: what others have counted is counted the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio_core.base.studio import Studio
from studio_core.data import store
from studio_core.data.shapes import Shape
from studio_core.data.versions import parquet_path
from studio_core.reports.compute import compute
from studio_core.reports.document import Report

pytestmark = pytest.mark.real_data


def reported(studio: Studio, file: Path, **options: object) -> Report:
    dataset = store.import_file(studio, file).dataset
    features = studio.settings.home / "features.parquet"
    return compute(parquet_path(studio, dataset), Shape(dataset.shape), features, **options)  # type: ignore[arg-type]


def test_every_answer_of_gsm8k_is_read(studio: Studio, real_data: Path) -> None:
    report = reported(
        studio, real_data / "gsm8k" / "test.jsonl", suites={"train": real_data / "gsm8k" / "train.jsonl"}
    )
    assert report.rows == 1319 and report.references is not None
    assert (report.references.numbers, report.references.texts, report.references.missing) == (1319, 0, 0)
    assert report.verdicts.bad == 0 and report.personal_data.spans == {}
    assert report.languages.rows["en"] > 1300
    assert report.overlap.suites[0].texts > 14_000 and report.overlap.suites[0].rows < 10


def test_length_bias_of_pairs(studio: Studio, real_data: Path) -> None:
    report = reported(studio, real_data / "formats" / "dpo_en_demo.json")
    assert report.pairs is not None
    longer = report.pairs.longer_chosen
    assert 0.4 < longer.share < 0.5 and longer.low < longer.share < longer.high
    assert 0.5 <= report.pairs.shortcut < 0.7
    assert report.duplicates.exact == 5 and report.verdicts.bad == 0
    assert set(report.personal_data.spans) == {"email"}
