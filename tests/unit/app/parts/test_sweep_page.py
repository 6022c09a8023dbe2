"""The page of a sweep: it says what would be done before it is, and shows other people's text as text."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from app.i18n import say
from app.parts import sweep_view
from app.parts.sweep_page import SweepPage
from studio_core import training
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.runs import engine_process, queue
from studio_core.training import sweeps
from tests.unit.app.parts.by_name import ByName
from tests.unit.studio_core.training.runs import spec
from tests.unit.studio_core.training.test_sweeps import reported, studio_with_sums, wish

__all__ = ["studio_with_sums"]
HOSTILE = "<img src=x onerror=alert(1)>${alert(1)}{{alert(1)}}"


def request(language: str = "en", **query: str) -> Any:
    return SimpleNamespace(cookies={}, headers={"accept-language": language}, query_params=query)


@pytest.fixture
def page(studio_with_sums: Studio) -> SweepPage:
    return SweepPage(studio_with_sums, ByName())


@pytest.fixture
def base(studio_with_sums: Studio) -> str:
    return str(training.submit(studio_with_sums, spec(options={"epochs": 1})).id)


@pytest.fixture
def name(studio_with_sums: Studio) -> str:
    """A sweep of three, of which two have come to a loss."""
    studio = studio_with_sums
    sweep = sweeps.start(studio, wish({"learning_rate": [1e-4, 3e-4, 1e-3]}))
    for job, loss in zip(sweeps.jobs(studio, sweep), (2.0, 1.0), strict=False):
        reported(studio, job, 10, loss)
    return sweep


def test_the_form_tells_runs_time_and_disk_before(page: SweepPage, base: str) -> None:
    asked = request(sweep="new", **{"from": base})
    assert page.sweep(asked)["form"]["visible"]
    told = page.planned(asked, "learning_rate = 1e-4, 3e-4\nbatch_size = 2, 4, 8", "grid", 20, 2)
    assert re.search(r">12<", str(told["plan"])) and told["start"]["interactive"]
    for values, pairing, words in (
        ("learning_rate", "grid", "not an option with values"),
        ("learning_rate = 1, -1", "grid", "learning_rate -1"),
        ("learning_rate = 1e-4, 3e-4\nbatch_size = 2", "list", "learning_rate: 2, batch_size: 1"),
        (f"{HOSTILE} = 1, 2", "grid", "&lt;img"),
        ("learning_rate = 1e-4", "row", "row"),
    ):
        told = page.planned(asked, values, pairing, 20, 1)
        assert words in str(told["plan"]) and "<img" not in str(told["plan"])
        assert not told["start"]["interactive"]


def test_a_sampler_has_a_number_of_runs_and_tpe_one_seed(page: SweepPage, base: str) -> None:
    asked = request(sweep="new", **{"from": base})
    told = page.planned(asked, "learning_rate = 1e-5..1e-3", "tpe", 20, 3)
    assert told["trials"]["visible"] and not told["seeds"]["visible"] and told["start"]["interactive"]
    assert ">20<" in str(told["plan"]) and "14 drawn as others end" in str(told["plan"])
    told = page.planned(asked, "learning_rate = 1e-5..1e-3", "random", 5, 2)
    assert told["trials"]["visible"] and told["seeds"]["visible"] and ">10<" in str(told["plan"])
    told = page.planned(asked, "learning_rate = 1e-5..1e-3", "grid", 20, 1)
    assert not told["trials"]["visible"] and "only TPE and random" in str(told["plan"])
    for trials in (0, 201, None):
        refused = page.planned(asked, "learning_rate = 1e-5..1e-3", "random", trials, 1)
        assert "trials" in str(refused["plan"]) and not refused["start"]["interactive"]
    # Both ends are looked at, whatever was drawn.
    told = page.planned(asked, "learning_rate = 1e-5..7", "random", 1, 1)
    assert "learning_rate 7" in str(told["plan"]) and not told["start"]["interactive"]


def test_marks_that_would_overlap_are_left_out() -> None:
    marks = [(0.0, "least"), (0.02, "too near"), (0.5, "middle"), (0.99, "as near"), (1.0, "most")]
    assert sorted(word for _, word in sweep_view._readable(marks)) == ["least", "middle", "most"]
    assert sweep_view._readable([(0.5, "only")]) == [(0.5, "only")] and sweep_view._readable([]) == []


def test_a_pinned_combination_is_what_the_others_are_told_beside(page: SweepPage, name: str) -> None:
    first, second, third = sweeps.jobs(page.studio, name)
    drawn = page.watched(request(sweep=name))
    assert f"baseline={first.id}" in str(drawn["table"]) and "ts-sweep-off" not in str(drawn["table"])
    table = str(page.watched(request(sweep=name, baseline=str(second.id)))["table"])
    assert re.findall(r'ts-sweep-off">([^<]+)<', table) == [
        "+1"
    ]  # 2.0 beside 1.0; the third has no value yet.
    assert f"Differences are from run {second.id}" in table and f'data-baseline="{second.id}"' not in table
    assert f"compare={second.id},{first.id},{third.id}&amp;baseline={second.id}" in table
    for hostile in (HOSTILE, "-1", "99999"):
        assert "ts-sweep-off" not in str(page.watched(request(sweep=name, baseline=hostile))["table"])


def test_one_click_starts_one_sweep(page: SweepPage, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.parts.sweep_page.ensure_engine", lambda studio: None)
    asked = request(sweep="new", **{"from": base})
    key = page.sweep(asked)["key"]
    address = page.started(asked, "learning_rate = 1e-4, 3e-4", "grid", 20, 1, key)
    assert page.started(asked, "learning_rate = 1e-4, 3e-4", "grid", 20, 1, key) == address
    assert len(sweeps.jobs(page.studio, address.removeprefix("/runs?sweep="))) == 2
    assert engine_process is not None and len(queue.all_jobs(page.studio)) == 3


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_best_stands_on_top_and_the_drawing_has_each_run_with_a_value(
    page: SweepPage, name: str, language: str
) -> None:
    first, second, third = sweeps.jobs(page.studio, name)
    with page.studio.db.write() as session:
        row = session.get_one(Job, first.id)
        row.spec = {**row.spec, "sweep": {**row.spec["sweep"], "values": {"learning_rate": HOSTILE}}}
    shown = page.sweep(request(language, sweep=name))
    table = str(shown["table"])
    assert [int(id) for id in re.findall(r'data-run="(\d+)"', table)] == [second.id, first.id, third.id]
    drawing = str(shown["parallel"])
    assert drawing.count("<polyline") == 2 and drawing.count("ts-parallel-best") == 1
    assert "<img" not in table + drawing and "&lt;img" in table and "&lt;img" in drawing
    assert say("sweeps.title", language, sweep=name) in shown["head"]
    assert shown["slow"].active and shown["run"] == second.id


def test_losers_are_stopped_and_the_winner_cloned(
    page: SweepPage, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.parts.sweep_page.ensure_engine", lambda studio: None)
    first, second, third = sweeps.jobs(page.studio, name)
    page.stopped(request(sweep=name), 1)
    requests = [queue.get(page.studio, job.id).stop_request for job in (first, second, third)]
    assert requests == ["save", None, None]
    page.cloned(request(sweep=name), second.id, "learning_rate = 2e-4")
    assert sweeps.jobs(page.studio, name)[-1].spec["options"]["learning_rate"] == 2e-4


def test_what_is_no_sweep_is_said(page: SweepPage, base: str) -> None:
    for query in ({"sweep": "ffffffff"}, {"sweep": "../x"}, {"sweep": "new"}, {"sweep": "new", "from": "x"}):
        assert "ts-notice-warn" in page.sweep(request(**query))["head"]
    assert page.sweep(request(run="1"))["__type__"] == "update"
