"""The Runs page while it compares: what its address asks for, and what it shows of other people's text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.i18n import say
from app.parts import comparison_page
from app.parts.comparison_page import ComparisonPage, asked
from studio_core import training
from studio_core.base.errors import BadInput
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.models import registry
from tests.unit.app.parts.by_name import ByName
from tests.unit.studio_core.training.runs import chat, imported, run_to, spec
from tests.unit.studio_core.training.runs import say as answer

HOSTILE = "<img src=x onerror=alert(1)>${alert(1)}{{alert(1)}}"


@pytest.fixture
def runs(studio: Studio, tmp_path: Path) -> str:
    """Three runs, as an address names them; the last one goes on."""
    registry.ensure_demo_models(studio)
    imported(studio, "sums", [chat(f"{n}?", f"{n}.") for n in range(60)], tmp_path)
    ids = []
    for rate, state in ((1e-4, State.SUCCEEDED), (3e-4, State.FAILED), (1e-3, State.RUNNING)):
        name = HOSTILE.replace("/", "") + str(rate)
        job = training.submit(studio, spec(options={"learning_rate": rate}, name=name))
        job = run_to(studio, job, state, steps=6)
        answer(studio, job, [("after", 6, HOSTILE)])
        ids.append(str(job.id))
    return ",".join(ids)


def request(language: str = "en", **query: str) -> Any:
    return SimpleNamespace(cookies={}, headers={"accept-language": language}, query_params=query)


@pytest.fixture
def page(studio: Studio) -> ComparisonPage:
    return ComparisonPage(studio, ByName())


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("by", ["step", "tokens", "time", "epoch"])
def test_what_is_written_elsewhere_is_shown_as_text(
    page: ComparisonPage, runs: str, language: str, by: str
) -> None:
    shown = page.compare(request(language, compare=runs, by=by))
    drawn = "".join(str(shown[name]) for name in ("head", "axes", "settings", "answers"))
    assert "<img" not in drawn and drawn.count("&lt;img") >= 12
    assert say("comparison.title", language, n=3) in drawn
    assert shown["slow"].active  # One of them goes on.


def test_each_metric_has_one_chart_with_a_line_for_each_run(page: ComparisonPage, runs: str) -> None:
    shown = page.compare(request(compare=runs, baseline=runs.split(",")[1]))
    charts = json.loads(shown["charts"])
    [loss] = charts["charts"]
    ids = runs.split(",")
    assert [one["metric"] for one in loss["series"]] == [f"loss@{id}" for id in ids]
    assert [one["strong"] for one in loss["series"]] == [False, True, False]
    assert len({one["colour"] for one in loss["series"]}) == 3
    assert charts["points"][f"loss@{ids[0]}"] == [[1, 2, 3, 4, 5, 6], [1.0 / n for n in range(1, 7)]]
    assert charts["reset"] and not charts["legend"]


def test_a_comparison_is_drawn_again_only_when_a_run_has_come_further(
    page: ComparisonPage, runs: str
) -> None:
    shown = page.compare(request(compare=runs))
    assert page.watched(request(compare=runs), shown["seen"])["__type__"] == "update"  # Skipped.
    again = page.watched(request(compare=runs), "older | loss")
    later = json.loads(again["charts"])
    assert later["anew"] and not later["reset"] and "charts" not in later
    assert again["seen"] == shown["seen"]
    # Of a metric that came meanwhile there is no chart yet.
    assert json.loads(page.watched(request(compare=runs), "older | ")["charts"])["reset"]


def test_the_differences_are_marked_against_the_baseline(page: ComparisonPage, runs: str) -> None:
    first, second, _ = runs.split(",")
    for baseline, differing in ((first, ["0.0003", "0.001"]), (second, ["0.0001", "0.001"])):
        settings = str(page.compare(request(compare=runs, baseline=baseline))["settings"])
        [row] = re.findall(
            r'<tr class="ts-other"><th[^>]*><code title="options.learning_rate">.*?</tr>', settings
        )
        assert re.findall(r'class="ts-differs"><div>([^<]*)', row) == differing
    assert 'class="ts-same"><th scope="row" style="--depth: 0"><code title="method">' in settings


def test_the_address_changes_as_its_links_say(studio: Studio, runs: str) -> None:
    first, second, third = runs.split(",")
    shown = asked(studio, {"compare": f"{first},{second}", "add": third, "by": "time", "baseline": second})
    assert shown.address() == f"/runs?compare={runs}&by=time&baseline={second}"
    assert shown.address(by="step", baseline=int(first)) == f"/runs?compare={runs}&by=step"
    assert shown.without(shown.jobs[1]) == f"/runs?compare={first},{third}&by=time"
    for text in ("x", "1,2e3", "<img>", "9" * 20, "-1"):
        with pytest.raises(BadInput):
            asked(studio, {"compare": text})
    assert asked(studio, {"compare": first, "baseline": "999"}).baseline == int(first)


def test_what_cannot_be_compared_is_said(page: ComparisonPage, runs: str) -> None:
    for query in ({"compare": "1,zwei"}, {"compare": "4711"}, {"compare": runs, "by": "place"}):
        shown = page.compare(request(**query))
        assert "ts-notice-warn" in shown["head"] and "charts" not in shown
    assert page.compare(request(run="1"))["__type__"] == "update"  # Not asked to compare.


def test_runs_set_alike_are_said_to_be(page: ComparisonPage, runs: str) -> None:
    first = runs.split(",")[0]
    assert say("comparison.alike", "en") in str(page.compare(request(compare=first))["settings"])


def test_the_unit_of_time_fits_the_longest_run() -> None:
    from studio_core.training.comparison import Curves

    for longest, unit in ((30.0, "seconds"), (119.0, "seconds"), (121.0, "minutes"), (7300.0, "hours")):
        curves = Curves("time", {"loss": {1: [(0.0, 1.0), (longest, 1.0)], 2: []}})
        assert comparison_page.comparison_charts.unit(curves)[1] == unit
