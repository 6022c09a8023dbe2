from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.parts import run_list, run_view, run_words
from app.parts.run_watch import Cursor
from studio_core import training
from studio_core.base.states import State, Stop
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Job
from studio_core.keeping.search import Query
from studio_core.models import registry
from studio_core.runs import metrics, queue, run_folder
from studio_core.runs.summary import job_summary
from tests.unit.studio_core.training.runs import chat, checkpoint, imported, run_to, say, spec

EVIL = "<img src=x onerror=alert(1)>${alert(1)}{{alert(1)}}"


@pytest.fixture
def sums(studio: Studio, tmp_path: Path) -> Dataset:
    registry.ensure_demo_models(studio)
    return imported(studio, "sums", [chat(f"{n}?", f"{n}.") for n in range(60)], tmp_path)


def test_a_job_of_no_known_method_has_its_loss_drawn() -> None:
    for method in ("gone", None):
        assert [chart.name for chart in run_view.charts(Job(kind="train", method=method))] == ["loss"]


@pytest.fixture
def job(studio: Studio, sums: Dataset) -> Job:
    return training.submit(studio, spec(prompts=[EVIL], name=EVIL.replace("/", "")))


def everything(studio: Studio, job: Job, language: str = "en") -> str:
    parts = [
        run_list.jobs_table(studio, queue.all_jobs(studio), language),
        run_view.header(studio, job, language),
        run_view.progress(studio, job, language),
        run_view.links(studio, job, language),
        run_view.answers(studio, job, language),
        run_view.checkpoints(job, language),
        run_view.log(job, language),
        run_view.events(queue.events(studio, job.id), language),
        run_view.configuration(job, language),
    ]
    return "".join(parts)


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_nothing_from_outside_becomes_markup(studio: Studio, job: Job, language: str) -> None:
    job = run_to(studio, job, State.RUNNING, steps=5)
    say(studio, job, [("before", 0, EVIL), ("during", 3, EVIL)])
    Path(str(job.run_dir)).mkdir(exist_ok=True)
    (Path(str(job.run_dir)) / run_folder.LOG).write_text(EVIL)
    drawn = everything(studio, job, language)
    assert "<img" not in drawn
    assert "&lt;img src=x" in drawn


def test_a_run_that_waits_can_be_cancelled_only(studio: Studio, job: Job) -> None:
    assert run_view.stoppable(job) and not run_view.savable(job) and not run_view.resumable(job)
    assert "Position 1" in run_view.header(studio, job, "en")


def test_a_run_that_goes_on_can_be_stopped_in_both_ways(studio: Studio, job: Job) -> None:
    job = run_to(studio, job, State.RUNNING, steps=5)
    assert run_view.stoppable(job) and run_view.savable(job)
    assert 'aria-valuenow="25.0"' in run_words.bar(job, "en")
    assert "15 s left" in run_words.time_of(job, "en")
    job = queue.request_stop(studio, job.id, Stop.SAVE)
    assert run_view.stoppable(job) and not run_view.savable(job)
    assert queue.mark_stopping(studio, job)
    job = queue.get(studio, job.id)
    assert run_view.stoppable(job)  # Whoever does not want to wait for the save ends it.
    assert "Killed after 2 min 0 s if not done" in run_view.header(studio, job, "en")
    job = queue.request_stop(studio, job.id, Stop.CANCEL)
    assert not run_view.stoppable(job) and "Cancelling." in run_view.header(studio, job, "en")


def test_a_run_that_ended_early_can_be_resumed(studio: Studio, job: Job) -> None:
    job = run_to(studio, job, State.FAILED, steps=5)
    assert not run_view.stoppable(job) and not run_view.resumable(job)
    checkpoint(job, 5)
    checkpoint(job, 4, torn=True)
    assert run_view.resumable(job)
    listed = run_view.checkpoints(job, "en")
    assert "complete" in listed and "incomplete" in listed and "not finished" in listed
    assert 'data-step="5"' in listed and 'data-step="4"' not in listed
    assert "killed from outside" in run_view.header(studio, job, "en")


def test_a_finished_run_is_over(studio: Studio, job: Job) -> None:
    job = run_to(studio, job, State.SUCCEEDED, steps=20)
    checkpoint(job, 20)
    assert not run_view.resumable(job)
    assert "Finished all steps" in run_view.header(studio, job, "en")


def notices(studio: Studio, job: Job, *bodies: dict[str, Any]) -> None:
    """What a worker tells."""
    offset = queue.get(studio, job.id).events_offset
    lines = []
    for seq, body in enumerate(bodies, 2000):
        event = {"type": "notice", "seq": seq, "at": "2026-11-21T09:00:00Z", **body}
        lines.append((offset := offset + 1, json.dumps(event).encode()))
    metrics.store(studio, job.id, lines)


def test_warnings_stand_on_the_page_in_the_list_and_on_the_command_line(studio: Studio, job: Job) -> None:
    job = run_to(studio, job, State.RUNNING, steps=5)
    cut = {"share": 31, "limit": 48, "step": 12}
    notices(
        studio,
        job,
        {"level": "warning", "key": "methods.notice.answers_cut", "values": cut},
        {"level": "info", "key": "methods.notice.groups_done", "values": {"share": 90, "step": 13}},
        {"level": "warning", "key": EVIL, "values": {"x": EVIL}},
    )
    page, listed = run_view.header(studio, job, "en"), run_list.jobs_page(studio, "en", "", None)
    assert "31% of the answers reached 48 tokens" in page and "little left to learn" in page
    assert page.count("ts-notice-warn") == 2 and "<img" not in page + listed
    # The newest, and how many more.
    assert "&lt;img src=x" in listed and "(and 1 more)" in listed and "little left" not in listed
    assert "（另有 1 条）" in run_list.jobs_page(studio, "zh-CN", "", None)
    newest, first = job_summary(studio, job)["warnings"]
    assert first.startswith("31% of the answers") and newest.startswith(EVIL)


def test_an_empty_list_says_what_to_do(studio: Studio) -> None:
    assert 'href="/train"' in run_list.jobs_table(studio, [], "en")


def test_the_list_has_pages_and_can_be_narrowed(studio: Studio) -> None:
    spec_of_all = {"method": "sft", "model": "m", "dataset": "d", "tuning": "full"}
    ids = [queue.submit(studio, kind="train", name=f"x{n}", spec=spec_of_all).id for n in range(120)]
    for id in ids[::2]:
        queue.request_stop(studio, id, Stop.CANCEL)

    def listed(drawn: str) -> list[int]:
        return [int(n) for n in re.findall(r"/runs\?run=(\d+)", drawn)]

    first = str(run_list.jobs_page(studio, "en", "", None))
    assert listed(first) == ids[:69:-1]
    assert "show=all&amp;page=2" in first and "1 to 50 of 120" in first and "Previous" not in first
    last = str(run_list.jobs_page(studio, "en", "all", Query(offset=100)))
    assert listed(last) == ids[19::-1] and "Next" not in last and "Previous" in last
    cancelled = str(run_list.jobs_page(studio, "zh-CN", "cancelled", None))
    assert listed(cancelled) == ids[118:18:-2] and "已取消" in cancelled
    assert "no such run" in run_list.jobs_page(studio, "en", "failed", None)
    assert listed(str(run_list.jobs_page(studio, "en", "<script>"))) == ids[:69:-1]
    assert "no such run" in run_list.jobs_page(studio, "en", "", Query(offset=10**15))


@pytest.mark.parametrize("text", [None, "", "1|2", "x|1|a|b|c|d|e|f", "1|-1|a|b|c|d|e|f", "²|1|a|b|c|d|e|f"])
def test_a_cursor_that_is_none_begins_anew(text: str | None) -> None:
    assert Cursor.read(text) == Cursor()


def test_a_cursor_and_back() -> None:
    cursor = Cursor(3, 120, [str(number) for number in range(len(Cursor().seen))])
    assert Cursor.read(str(cursor)) == cursor
