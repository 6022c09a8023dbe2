"""Benchmarks of agents: their programs ask an address of the job's, and what they leave becomes items."""

from __future__ import annotations

import json
import math
import sys
import time
import urllib.error
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from jobs.evaluation import benchmark
from jobs.evaluation.questions import Questions
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.settings import bundled_folder
from studio_core.base.states import State
from studio_core.base.studio import Studio, open_studio
from studio_core.evaluation import browsing, loading, results, submitting
from studio_core.models import registry
from studio_core.runs.spec import EvalSpec, ResolvedModel, SuiteChoice
from studio_core.suites import SUITES, adding
from studio_core.suites.benchmarks.base import LOG
from tests.integration.benchmark_stand_in import ask
from tests.integration.in_this_process import carried_out
from tests.integration.test_evaluation import rows_of

STAND_IN = Path(__file__).with_name("benchmark_stand_in.py")
CHAT = ResolvedModel(name="tiny-chat", path=str(bundled_folder() / "models" / "tiny-chat"), parameters=1)


def program(name: str, *more: str) -> list[str]:
    return [sys.executable, str(STAND_IN), name, *more]


@pytest.fixture
def demo(tmp_path: Path) -> Any:
    named = ("taubench", "toolsandbox", "nexusbench")
    settings = json.dumps({name: program(name) for name in named})
    with closing(open_studio(home=tmp_path / "home; exit 1", benchmarks=settings)) as studio:
        registry.ensure_demo_models(studio)
        yield studio


def asked(name: str, **more: Any) -> EvalSpec:
    choice = SuiteChoice(name=name, **more.pop("drawing", {}))
    return EvalSpec(**{"models": ["tiny-base", "tiny-chat"], "suites": [choice], **more})


def test_tasks_of_taubench_are_items_of_the_same_tables(demo: Studio) -> None:
    job = carried_out(demo, submitting.submit(demo, asked("taubench_retail", limit=2)))
    assert job.state == State.SUCCEEDED and (job.step, job.total_steps) == (2, 2), job.detail
    base, chat = results.of_job(demo, job.id)
    assert (base.value, chat.value, chat.figures["limit"]) == (0, 1, 2) and base.questions == chat.questions
    [first, _] = rows_of(demo, job)["tiny-chat", "taubench_retail"]
    assert [message["role"] for message in first.prompt] == ["system", "user"]
    [turns] = first.turns
    assert [turn["role"] for turn in turns] == ["assistant", "tool", "assistant", "user"]
    assert '{"name": "think", "arguments": {"thought": "hm"}}' in turns[0]["content"]
    assert "boxed" in first.answers[0] and chat.figures["further"] == {"called": 1, "turns": 2}
    assert browsing.pair(demo, job).counts()["won"] == 2
    report = loading.of_job(demo, job, "en")
    assert report is not None and report.change("tiny-chat", "taubench_retail") is not None
    folder = demo.settings.runs / str(job.id) / "benchmark-0-0"
    assert (folder / LOG).read_text().startswith("it begins")
    # Another user model is another benchmark.
    [row, *_] = rows_of(demo, job).values()
    assert benchmark.identity(program("taubench"), "taubench_retail", row) == chat.questions
    assert (
        benchmark.identity(program("taubench", "--user-model", "x"), "taubench_retail", row) != chat.questions
    )


def test_several_trials_tell_pass_hat_k_and_a_task_that_raised_has_no_value(demo: Studio) -> None:
    spec = asked("taubench_airline", models=["tiny-chat"], drawing={"samples": 2, "temperature": 0.1}, seed=3)
    job = carried_out(demo, submitting.submit(demo, spec))
    [reached] = results.of_job(demo, job.id)
    rows = rows_of(demo, job)["tiny-chat", "taubench_airline"]
    assert [row.item for row in rows] == ["0", "1", "2"]
    assert all(math.isnan(value) for value in rows[2].values) and reached.figures["without_value"] == 1
    assert browsing.reason(rows[2]) == "Not scored: the customer left"
    told = reached.figures["further"]
    assert (
        told["pass^1"] == pytest.approx(reached.value) and told["pass^2"] <= told["pass^1"] <= told["pass@2"]
    )
    # Of the second task the second trial is never right.
    assert rows[1].values[1] == 0 and told["pass^2"] <= 0.5


def test_scenarios_of_toolsandbox(demo: Studio) -> None:
    job = carried_out(demo, submitting.submit(demo, asked("toolsandbox", models=["tiny-chat"])))
    [reached] = results.of_job(demo, job.id)
    added, broken, wifi = rows_of(demo, job)["tiny-chat", "toolsandbox"]
    assert [added.item, broken.item, wifi.item] == ["add_contact", "broken", "wifi_off"]
    assert (added.value, wifi.value, reached.value) == (1, 0.25, 0.625)
    assert added.kind == "SINGLE_TOOL_CALL, SINGLE_USER_TURN" and len(added.turns[0]) == 4
    assert browsing.reason(broken) == "Not scored: KeyError: KeyError: 'x'"
    with pytest.raises(BadInput, match="always asks all its tasks"):
        submitting.submit(demo, asked("toolsandbox", limit=2))


def test_the_table_of_nexusbench(demo: Studio) -> None:
    job = carried_out(demo, submitting.submit(demo, asked("nexusbench", models=["tiny-chat"], limit=1)))
    first, second = rows_of(demo, job)["tiny-chat", "nexusbench"]
    assert (first.item, first.value, second.value) == ("NVDLibraryBenchmark", pytest.approx(0.4167), 1)
    assert browsing.reason(second) == "Accuracy 100.00%; Invalid Plan 0.00%; Time taken (s) 7"
    for drawing, named in (
        ({"samples": 2, "temperature": 1.0}, "samples, temperature"),
        ({"max_tokens": 9}, "max"),
    ):
        with pytest.raises(BadInput, match=named):
            submitting.submit(demo, asked("nexusbench", drawing=drawing))


def test_what_cannot_be_asked_is_told_before(studio: Studio, tmp_path: Path) -> None:
    registry.ensure_demo_models(studio)
    for name, words in (("taubench_retail", "run.py"), ("bfcl_multi_turn_base", "bfcl-eval==")):
        with pytest.raises(BadInput, match="TUNESMITH_BENCHMARKS") as refused:
            submitting.submit(studio, asked(name))
        assert words in refused.value.sentence() and adding.lacking(studio, SUITES[name])
    with pytest.raises(BadInput, match="nothing is added to it"):
        adding.add(studio, "toolsandbox", tmp_path / "x.jsonl")
    for value in ('{"taubench": []}', "[1]", "taubench"):
        with pytest.raises(BadInput, match="no JSON object of lists"):
            open_studio(home=studio.settings.home, benchmarks=value)
    for wrong in (["python"], [str(tmp_path)]):
        with (
            closing(
                open_studio(home=studio.settings.home, benchmarks=json.dumps({"taubench": wrong}))
            ) as other,
            pytest.raises(BadInput, match="no program that can be started"),
        ):
            submitting.submit(other, asked("taubench_retail"))


def test_no_limit_of_time(demo: Studio) -> None:
    with pytest.raises(BadInput, match="no limit of time"):
        submitting.submit(demo, asked("taubench_retail", seconds=60))


def questions(**changes: Any) -> Questions:
    suite = SUITES["taubench_retail"]
    assert suite.benchmark is not None
    return Questions(replace(suite, benchmark=replace(suite.benchmark, **changes)), (), "")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("fails", "ended with code 3: the database is not there"),
        ("mute", "should be one file of results"),
        ("nexusbench", "ended with code 2"),
    ],
)
def test_what_fails_is_told(tmp_path: Path, name: str, told: str) -> None:
    with pytest.raises(StudioError, match=told):
        benchmark.answered(program(name), CHAT, questions(), 0, tmp_path / "out", lambda: False)
    assert (tmp_path / "out" / LOG).read_text().startswith("it begins")


def test_results_of_another_shape_are_refused(tmp_path: Path) -> None:
    def read(folder: Path) -> Any:
        raise KeyError("traj")

    with pytest.raises(StudioError, match=r"published shape \(KeyError: 'traj'\)"):
        benchmark.answered(program("mute"), CHAT, questions(read=read), 0, tmp_path / "out", lambda: False)


def ended(pid: int) -> bool:
    """Whether a process has ended within ten seconds; one that nobody has asked after yet counts as ended."""
    with suppress(psutil.NoSuchProcess):
        process, until = psutil.Process(pid), time.monotonic() + 10
        while process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
    return True


@pytest.mark.parametrize("how", ["stop", "time"])
def test_it_ends_with_all_that_it_has_started(tmp_path: Path, how: str) -> None:
    pids = tmp_path / "out" / "pids"
    if how == "stop":
        rows = benchmark.answered(program("waits"), CHAT, questions(), 0, tmp_path / "out", pids.is_file)
        assert rows == []
    else:
        with pytest.raises(StudioError, match=r"was ended after 0.003 hours. Its last line: it begins"):
            benchmark.answered(
                program("waits"), CHAT, questions(hours=0.003), 0, tmp_path / "out", lambda: False
            )
    for pid in pids.read_text().split():
        assert ended(int(pid))


def test_an_address_wants_its_key(tmp_path: Path) -> None:
    """Whoever else is on the machine cannot ask it."""
    with benchmark.address(CHAT) as (url, key):
        assert ask(url, key, "tiny-chat", "Compute 34 - 22")["role"] == "assistant"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            ask(url, "x" * len(key), "tiny-chat", "?")
