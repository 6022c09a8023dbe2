"""The rollouts of a run's page: they answer whatever a browser sends, and show what a model wrote as text."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from app.i18n import say
from app.parts import rollouts_view
from app.parts.rollouts_view import Rollouts
from studio_core import training
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.data import store
from studio_core.models import registry
from studio_core.runs.rollouts import Rollout, RolloutWriter, Turn
from studio_core.runs.token_figures import TokenFigures, TokenFiguresWriter
from tests.unit.app.parts.by_name import ByName
from tests.unit.studio_core.runs.test_rollouts import asked, rollout
from tests.unit.studio_core.training.runs import chat, imported, spec

HOSTILE = "<img src=x onerror=alert(1)><script>alert(1)</script>{0}${1}"


@pytest.fixture
def run(studio: Studio, tmp_path: Path) -> int:
    registry.ensure_demo_models(studio)
    imported(studio, "asked", ({"prompt": f"{n} plus 1", "answer": str(n + 1)} for n in range(60)), tmp_path)
    job = training.submit(studio, spec(method="grpo", model="tiny-chat", dataset="asked"))
    with studio.db.write() as session:
        session.get_one(Job, job.id).run_dir = str(tmp_path / "run")
    (tmp_path / "run").mkdir()
    odd: Rollout = {**rollout(9), "prompt": HOSTILE, "answer": HOSTILE, "ended": False, "advantage": -1.5}
    kept = [one for step in range(1, 9) for one in asked(step, f"{step} plus", 0.0, 1.0, None, 0.5, 0.5, 0.5)]
    RolloutWriter(tmp_path / "run", kept=100).write([*kept, odd])
    return job.id


def request(run: Any, language: str = "en") -> Any:
    return SimpleNamespace(cookies={}, headers={"accept-language": language}, query_params={"run": str(run)})


@pytest.fixture
def view(studio: Studio, run: int) -> Rollouts:
    return Rollouts(studio, ByName())


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_what_a_model_wrote_is_shown_as_text(view: Rollouts, run: int, language: str) -> None:
    shown = view.open(request(run, language))
    assert "<img" not in shown["listed"] and "&lt;img src=x" in shown["listed"]
    assert "<script" not in shown["listed"] and "{0}${1}" in shown["listed"]
    assert say("runs.rollout_cut", language) in shown["listed"] and "-1.5" in shown["listed"]
    assert shown["section"].visible and f"run-{run}-pairs" in shown["dataset"].placeholder


def test_tokens_are_shaded_where_figures_of_them_are_kept(view: Rollouts, run: int, tmp_path: Path) -> None:
    [(mark, _)] = rollouts_view.rollouts.page(tmp_path / "run", limit=1).rollouts
    figures = TokenFigures(tokens=[HOSTILE], entropy=[1.0])
    TokenFiguresWriter(tmp_path / "run").write(mark, figures)
    asked_ = request(run)
    shown = view.look(asked_, "", "newest", "", "entropy")
    assert shown["listed"].count("ts-token ") == 1 and "<img" not in shown["listed"]
    assert "ts-token-more-4" in shown["legend"] and "2 newest answers of a step" in shown["legend"]
    assert view.look(asked_, "", "newest", "", "x")["legend"] == ""
    assert "ts-token" not in view.look(asked_, "", "newest", "")["listed"]


def test_pages_are_turned_and_end(view: Rollouts, run: int) -> None:
    asked_ = request(run)
    assert "1 to 24 of 49" in view.look(asked_, "", "newest", "")["position"]
    last = view.forward(asked_, 24, "", "newest", "")
    assert "49 to 49 of 49" in last["position"]
    assert view.forward(asked_, last["offset"], "", "newest", "")["offset"] == last["offset"] == 48
    assert view.back(asked_, 24, "", "newest", "")["offset"] == 0
    assert view.back(asked_, 0, "", "newest", "")["offset"] == 0


def test_they_are_chosen_by_step_worth_and_text(view: Rollouts, run: int) -> None:
    asked_ = request(run)
    best = view.look(asked_, "3", "best", "")
    assert "1 to 5 of 5" in best["position"] and best["listed"].index("so 1") < best["listed"].index("so 0")
    assert "1 to 5 of 5" in view.look(asked_, 3, "varied", "")["position"]
    found = view.look(asked_, "", "newest", "3 PLUS")
    assert "1 to 6 of 6" in found["position"] and "<mark>3 plus</mark>" in found["listed"]
    # One prompt above all its answers.
    assert found["listed"].count("ts-prompt") == 1 and found["listed"].count('data-kind="answer"') == 6
    assert "No rollout matches" in view.look(asked_, "77", "newest", "")["listed"]


@pytest.mark.parametrize("step", ["-1", "x", "1.5", "9" * 30, "²", HOSTILE])
def test_a_step_that_is_none_is_said(view: Rollouts, run: int, step: str) -> None:
    shown = view.look(request(run), step, "newest", "")
    assert "is not a step" in shown["position"] and "<img" not in shown["position"]


@pytest.mark.parametrize("order", [None, "x", 7, ["best"], {"a": 1}])
def test_nonsense_of_a_browser_is_the_newest(view: Rollouts, run: int, order: Any) -> None:
    if isinstance(order, list | dict):
        order = str(order)
    shown = view.forward(request(run), "x", None, order, None)
    assert "25 to 48 of 49" in shown["position"]


@pytest.mark.parametrize("named", ["", "x", "9" * 30, "-1"])
def test_without_a_run_there_is_nothing(view: Rollouts, named: str) -> None:
    for shown in (view.open(request(named)), view.look(request(named), "", "", "")):
        assert shown == gr.skip()


def test_runs_that_write_none_have_no_such_section(studio: Studio, view: Rollouts, tmp_path: Path) -> None:
    imported(studio, "sums", [chat(f"{n}?", f"{n}.") for n in range(60)], tmp_path)
    job = training.submit(studio, spec())
    assert view.open(request(job.id)) == gr.skip()


def test_a_button_makes_a_record(studio: Studio, view: Rollouts, run: int, tmp_path: Path) -> None:
    mark = rollouts_view.rollouts.page(tmp_path / "run", 3, "best").rollouts[0][0]
    pressed = SimpleNamespace(_data={"mark": mark, "kind": "pair"})
    said = view.add(request(run), pressed, "better")["added"]
    dataset = next(one for one in store.all_datasets(studio) if one.name == "better")
    assert f'href="/dataset?id={dataset.id}"' in said and "Added as record 1" in said
    assert "Already there" in view.add(request(run), pressed, "better")["added"]
    # Unnamed, pairs and answers go to datasets of their own.
    for kind in ("pair", "answer"):
        unnamed = view.add(request(run), SimpleNamespace(_data={"mark": mark, "kind": kind}), " ")["added"]
        assert f">run-{run}-{kind}s@1</a>" in unnamed


@pytest.mark.parametrize(
    "data", [None, [], {}, {"mark": 7}, {"mark": "1-1", "kind": {"a": 1}}, {"kind": "pair"}]
)
def test_what_no_button_sends_makes_nothing(studio: Studio, view: Rollouts, run: int, data: Any) -> None:
    before = len(store.all_datasets(studio))
    with pytest.warns(UserWarning, match=r"not kept any more|not what a rollout"):
        assert view.add(request(run), SimpleNamespace(_data=data), "better") == gr.skip()
    assert len(store.all_datasets(studio)) == before


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_every_turn_is_shown_with_who_wrote_it(
    view: Rollouts, run: int, tmp_path: Path, language: str
) -> None:
    turns: list[Turn] = [
        {"role": "assistant", "content": "<tool_call>6*7</tool_call>", "tokens": 30},
        {"role": "tool", "content": "42 <b>", "tokens": 9},
        {"role": "assistant", "content": "It is 42.", "tokens": 5},
    ]
    RolloutWriter(tmp_path / "run", kept=100).write([{**rollout(10), "answer": "It is 42.", "turns": turns}])
    shown = str(view.look(request(run, language), "10", "newest", "")["listed"])
    places = [shown.index(part) for part in ("&lt;tool_call&gt;6*7", "42 &lt;b&gt;", "It is 42.")]
    assert places == sorted(places) and shown.count("It is 42.") == 1
    assert shown.count(say("runs.rollout_turn_tool", language)) == 1
    assert say("runs.rollout_tokens", language, tokens=9) in shown
