"""Five models through one report: two of the demo and three that are tuned here, each against the first."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio_core import training
from studio_core.base.states import State
from studio_core.base.studio import Studio, open_studio
from studio_core.data import store
from studio_core.evaluation import loading, results, submitting
from studio_core.evaluation.files import files
from studio_core.evaluation.sentences import verdict
from studio_core.models import registry
from studio_core.runs.spec import EvalSpec, SuiteChoice, TrainSpec
from studio_core.texts import LANGUAGES
from tests.integration.in_this_process import carried_out

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.

TUNED: dict[str, dict[str, Any]] = {
    "whole": {"method": "sft", "model": "tiny-base", "dataset": "tiny-sft-chat"},
    "adapter": {"method": "sft", "model": "tiny-base", "dataset": "tiny-sft-chat", "tuning": "lora"},
    "preferred": {"method": "dpo", "model": "tiny-chat", "dataset": "identity-pairs"},
}
MODELS = ["tiny-base", "tiny-chat", *TUNED]
SUITES = ["identity", "facts", "sums", "perplexity"]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Studio]:
    studio = open_studio(home=tmp_path / "home", retention=False)
    registry.ensure_demo_models(studio)
    store.ensure_samples(studio)
    yield studio
    studio.close()


def by_holm(values: list[float]) -> list[float]:
    """Holm 1979, step by step: the smallest of m times m, the next times m - 1, none below the one before."""
    adjusted, highest = [0.0] * len(values), 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        highest = max(highest, min(1.0, (len(values) - rank) * values[place]))
        adjusted[place] = highest
    return adjusted


def test_five_columns_corrected_together_and_a_sentence_for_each(demo: Studio) -> None:
    for name, given in TUNED.items():
        asked = TrainSpec(name=name, device="cpu", options={"max_steps": 4, "eval_share": 0}, **given)
        run = carried_out(demo, training.submit(demo, asked))
        assert run.state == State.SUCCEEDED, run.detail
    suites = [SuiteChoice(name=name) for name in SUITES]
    job = carried_out(demo, submitting.submit(demo, EvalSpec(models=MODELS, suites=suites, limit=25)))
    assert job.state == State.SUCCEEDED and len(results.of_job(demo, job.id)) == 20
    report = loading.of_job(demo, job, "en")
    assert report is not None and [*report.models] == MODELS and report.baseline == "tiny-base"
    assert {(cell.model, cell.suite) for cell in report.cells} == {(m, s) for m in MODELS for s in SUITES}
    assert all(cell.n == 25 and cell.low <= cell.mean <= cell.high for cell in report.cells)  # type: ignore[operator]
    # All pairs of model and suite are one family: sixteen tests, none of them by chance.
    changes = [change for model in MODELS[1:] for change in report.changes_of(model)]
    assert len(changes) == 16 and {change.baseline for change in changes} == {"tiny-base"}
    assert [change.p_adjusted for change in changes] == pytest.approx(
        by_holm([change.p for change in changes])
    )
    facts = report.change("tiny-chat", "facts")
    assert facts is not None and facts.direction == "better" and facts.p < facts.p_adjusted < 0.01
    for model in MODELS:
        for language in LANGUAGES:
            spoken = loading.of_job(demo, job, language) or report
            sentence = verdict(spoken, model, language)
            assert all(spoken.suite(name).title in sentence for name in SUITES), sentence
    assert verdict(report, "tiny-chat", "en").startswith("Identity ")
    written = files(report, "en")
    lines = list(csv.DictReader(io.StringIO(written["report.csv"].removeprefix("\ufeff"))))
    assert [line["model"] for line in lines if line["suite"] == "sums"] == MODELS
    assert all(model in written["report.html"] for model in MODELS)
