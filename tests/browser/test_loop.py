"""The whole loop as a new user walks it: data, train, watch, stop, resume, compare, vote."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from studio_core import training
from studio_core.base.states import TERMINAL, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job, Vote
from studio_core.chat import chat_votes
from studio_core.data import store
from studio_core.runs import metrics, queue
from tests.browser.conftest import Served, choose, come_to_charts, in_address, screenshot, visit
from tests.conftest import wait_until

pytestmark = pytest.mark.browser

CHART = "document.querySelector('#run-chart-loss .js-plotly-plot')"
ENDED = re.compile("stop|length")
ENVIRONMENT = {"TUNESMITH_WARM_WORKERS": "1"}  # As a studio is by itself.


def test_sft_with_an_uploaded_file(page: Page, served: Served, tmp_path: Path) -> None:
    choose(page.context, served.url, language="en", theme="light")
    visit(page, "/data")
    page.locator("#data-file [data-part=input-files]").set_input_files(our_file(tmp_path))
    expect(page.locator("#data-found")).to_contain_text("40")
    expect(page.locator("#data-rejected")).to_contain_text("7")
    screenshot(page, "loop-data")
    page.locator("button#data-import").click()
    expect(page.locator("#data-answer, #data-head").get_by_text("our-house").first).to_be_visible()
    dataset = store.get(served.studio, "our-house")
    assert (dataset.rows, dataset.rejected_count, dataset.shape) == (40, 1, "chat")
    page.locator("a[href*='/train?dataset=our-house']").first.click()
    page.wait_for_url(re.compile("/train"))
    ready(page)
    expect(page.locator("#train-dataset input")).to_have_value("our-house@1")
    run = trained_with_a_stop(page, served.studio, epochs="60")
    compared_and_voted(page, served.studio, run, "Who keeps the garden?")


def test_dpo_with_sample_pairs_in_chinese_and_dark(page: Page, served: Served) -> None:
    choose(page.context, served.url, language="zh-CN", theme="dark")
    visit(page, "/train?dataset=identity-pairs&model=tiny-chat&method=dpo")
    ready(page)
    run = trained_with_a_stop(page, served.studio, epochs="6")
    for name in ("rewards/margins", "rewards/accuracies", "logps/chosen", "logps/rejected"):
        assert name in queue.get(served.studio, run.id).latest
    compared_and_voted(page, served.studio, run, "What is your name?")


def our_file(folder: Path) -> Path:
    """Forty conversations, and a line that is cut off."""
    lines = [
        json.dumps({"messages": [
            {"role": "user", "content": f"Who keeps the garden on day {day}?"},
            {"role": "assistant", "content": f"Rovan keeps the garden on day {day}."},
        ]})
        for day in range(1, 41)
    ]  # fmt: skip
    lines.insert(6, lines[6][:30])
    path = folder / "our-house.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def ready(page: Page) -> None:
    expect(page.locator("#train-plan [data-ready='true']")).to_be_visible()


def ended(studio: Studio, job_id: int) -> Job:
    def job() -> Job | None:
        found = queue.get(studio, job_id)
        return found if found.state in TERMINAL else None

    found = wait_until(job, timeout=180, what=f"job {job_id} has ended")
    assert found is not None
    return found


def trained_with_a_stop(page: Page, studio: Studio, epochs: str) -> Job:
    """Click Train, see the loss fall, stop and save in the middle, resume, and end by stopping again."""
    page.locator("#train-opt-epochs input").fill(epochs)
    page.locator("#train-opt-epochs input").blur()
    ready(page)
    page.locator("button#train-start").click()
    page.wait_for_url(re.compile(r"/runs\?run=\d+"))
    first = int(in_address(page, "run"))
    come_to_charts(page)
    page.wait_for_function(f"{CHART}?.data[0].x.length >= 4", timeout=90_000)
    screenshot(page, f"loop-run-{first}")
    page.locator("button#run-stop").click()
    stopped = ended(studio, first)
    assert (stopped.state, stopped.cause) == (State.SUCCEEDED, "stopped"), stopped.detail
    assert 0 < stopped.step < (stopped.total_steps or 0)
    page.locator("button#run-resume").click()
    page.wait_for_url(re.compile(rf"/runs\?run=(?!{first}\b)\d+"))
    second = int(in_address(page, "run"))
    resumed = ended(studio, second)
    assert (resumed.state, resumed.resumes_id) == (State.SUCCEEDED, first), resumed.detail
    assert resumed.step == resumed.total_steps == stopped.total_steps
    curve = [point for point in training.curve(studio, resumed) if "loss" in point.values]
    assert [point.step for point in curve] == list(range(1, (resumed.total_steps or 0) + 1))
    seqs = [point.seq for point in metrics.points(studio, second)]
    assert seqs == sorted(set(seqs))
    assert curve[-1].values["loss"] < curve[0].values["loss"]
    return resumed


def compared_and_voted(page: Page, studio: Studio, run: Job, prompt: str) -> None:
    """From the run's page to the chat; both sides answer; a vote becomes a preference record."""
    before = len(chat_votes.preference_records(studio))
    expect(page.locator("#run-compare")).to_be_visible()
    page.locator("#run-compare").click()
    page.wait_for_url(re.compile("/chat"))
    expect(page.locator("#chat-models")).to_contain_text(run.name)
    expect(page.locator("#chat-live")).not_to_be_empty()
    page.locator("#chat-prompt textarea").fill(prompt)
    page.locator("#chat-prompt textarea").press("Enter")
    for side in (0, 1):
        expect(page.locator(f"#chat-side-{side}")).to_have_attribute("data-state", ENDED, timeout=90_000)
    screenshot(page, f"loop-chat-{run.id}")
    page.locator("#chat-vote-b").click()
    expect(page.locator("#chat-side-1")).to_have_attribute("data-mark", "better")
    records = chat_votes.preference_records(studio)
    assert len(records) == before + 1
    with studio.db.read() as session:
        vote = session.scalars(select(Vote).order_by(Vote.id.desc())).first()
    assert vote is not None and vote.verdict == "b"
    assert vote.record["prompt"][-1] == {"role": "user", "content": prompt}
    assert vote.record["chosen"] != vote.record["rejected"]
