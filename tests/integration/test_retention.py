"""An evaluation follows a training by itself: what the model still knows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from app.parts import run_view
from jobs.engine.ending import Ending
from jobs.engine.loop import Engine
from studio_core import training
from studio_core.base.states import State, Stop
from studio_core.base.studio import Studio, open_studio
from studio_core.data import store
from studio_core.evaluation import loading, results, retention
from studio_core.models import registry
from studio_core.runs import queue
from studio_core.runs.spec import TrainSpec
from tests.integration.in_this_process import InThisProcess, carried_out

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.

ASKED = TrainSpec(
    name="brief",
    method="sft",
    model="tiny-base",
    dataset="tiny-sft-chat",
    options={"max_steps": 2, "eval_share": 0},
    device="cpu",
)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Studio]:
    studio = open_studio(home=tmp_path / "home", retention=True)
    registry.ensure_demo_models(studio)
    store.ensure_samples(studio)
    yield studio
    studio.close()


def test_a_training_is_followed_by_an_evaluation_of_it_and_its_base(
    demo: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = carried_out(demo, training.submit(demo, ASKED))
    assert run.state == State.SUCCEEDED
    evaluation = retention.of_run(demo, run)
    assert evaluation is not None and evaluation.name == "retention: brief" and evaluation.priority == -9
    assert evaluation.spec["models"] == ["tiny-base", "brief"] and evaluation.spec["least"] == 1
    assert evaluation.spec["seconds"] == retention.AROUND, (
        "a training of seconds leaves time for nothing more"
    )
    twice = retention.after(demo, run)
    assert twice is not None and twice.id == evaluation.id, "registered again, it is still followed once"
    evaluation = carried_out(demo, evaluation)
    reached = {(each.model, each.suite): each for each in results.of_job(demo, evaluation.id)}
    names = ["identity", "facts", "sums", "instructions", "drift", "perplexity"]
    assert set(reached) >= {(model, suite) for model in ("tiny-base", "brief") for suite in names}
    assert len({each.figures["limit"] for each in reached.values()}) == 1
    moved = reached["brief", "drift"].value
    assert reached["tiny-base", "drift"].value == 0 and moved is not None and moved > 0
    # What stands in its data is known at once.
    made = loading.of_job(demo, evaluation, "en")
    assert made is not None and made.cells[0].trained_on is None, "nothing is known of the base"
    assert {cell.trained_on is not None for cell in made.cells if cell.model == "brief"} == {True}
    page = run_view.header(demo, run, "en")
    assert f'<a href="/runs?run={evaluation.id}">What it still knows</a>: ' in page
    assert retention.verdict(demo, evaluation, "en") in unescape(page)
    assert re.search(r"Drift 0\.\d{3} .*nats per token, answers \d+ to \d+ tokens long", page)
    assert "Drift 0.000 to " not in page
    results.file_of(demo, reached["brief", "drift"]).unlink()
    assert "are gone" in run_view.header(demo, run, "en"), "the run's page opens all the same"
    # A fault in what follows harms no run, and without the switch nothing does.
    monkeypatch.setattr(retention.submitting, "submit", lambda *given, **named: 1 / 0)
    ended = Engine(demo, InThisProcess())._register(run, {"model": "model"}, Ending(State.SUCCEEDED))
    assert ended.state == State.SUCCEEDED
    for language in ("en", "zh-CN"):
        assert "division by zero" in run_view.header(demo, run, language), "and its page says so"
    run.spec = {**run.spec, "retention": False}
    assert retention.after(demo, run) is None


def test_what_makes_no_model_that_writes_is_not_followed(demo: Studio) -> None:
    run = training.submit(demo, ASKED)
    assert retention.after(demo, run) is None, "it has made nothing yet"
    queue.request_stop(demo, run.id, Stop.CANCEL)
    scored = training.submit(demo, ASKED.model_copy(update={"name": "scored"}))
    folder = Path(scored.run_dir or "") / "model"
    folder.mkdir(parents=True)
    model = registry.register_result(demo, scored, {"model": "model", "kind": "full", "seconds": 70.0})
    assert retention.suites(demo, model)[0] == "identity"
    scored.method = "reward"
    assert retention.after(demo, scored) is None
    scored.method = "sft"
    following = retention.after(demo, scored)
    assert following is not None and following.spec["seconds"] == 7 - retention.AROUND
