"""The Evaluate page with a service as the judge: what it will cost, its verdicts, and what is said when it fails."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from studio_core.generation import services
from studio_core.models import registry
from studio_core.runs import queue
from tests.browser.axe import told
from tests.browser.conftest import Served, choose, screenshot, visit
from tests.browser.furnished import SETTLED
from tests.fake_service import FakeService, fake_service, reply

pytestmark = pytest.mark.browser

QUESTIONS = 3
# A worker of its own for each job, and a service that fails is asked again for half a minute.
FINAL = 120_000


def judge(document: dict[str, Any], _: int) -> tuple[int, Any, dict[str, str]]:
    """Likes every answer alike."""
    return 200, reply("Because. [[7]]"), {}


@pytest.fixture
def far(served: Served) -> Iterator[FakeService]:
    """The service ``far``, with prices, and a suite that a judge scores."""
    registry.ensure_demo_models(served.studio)
    suites = served.studio.settings.suites
    suites.mkdir(parents=True, exist_ok=True)
    records = [
        {"question_id": n, "category": "math", "turns": [f"{n} + {n}?", "And twice that?"]}
        for n in range(QUESTIONS)
    ]
    (suites / "mt_bench.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    with fake_service(judge) as service:
        file = served.studio.settings.home / services.FILE
        services.add(file, "far", service.address, "big", "key", price_in=1.0, price_out=2.0)
        yield service


def filled(page: Page, judge: str = "") -> None:
    """The form with a judged suite, and who judges."""
    visit(page, "/evaluate?models=tiny-chat&suites=mt_bench")
    expect(page.locator("#evaluate-suites")).to_contain_text("MT-Bench")
    if judge:
        page.locator("#evaluate-judge input").click()
        page.get_by_role("option", name=re.compile(f"^{judge}")).click()


def start(page: Page) -> None:
    page.locator("#evaluate-start button, button#evaluate-start").first.click()


def test_what_the_judge_costs_is_told_before_and_its_verdicts_after(
    page: Page, context: BrowserContext, served: Served, far: FakeService
) -> None:
    choose(context, served.url)
    filled(page)
    start(page)
    expect(page.get_by_text("A judge scores the answers to mt_bench, and none is named.")).to_be_visible()
    filled(page, "far")
    about = page.locator("#evaluate-told")
    # Three questions of two turns.
    expect(about).to_contain_text(
        re.compile(r"MT-Bench: the judge is asked 6 questions, about [\d,]+ tokens")
    )
    expect(about).to_contain_text(re.compile(r", cost 0\.0\d+"))
    assert far.asked == [], "nothing is paid before it is told"
    assert told(page) == []
    screenshot(page, "evaluate-judge-en-light-1280")
    start(page)
    said = page.locator("#evaluation-report")
    expect(said).to_contain_text("judged by far (big)", timeout=FINAL)
    expect(said).to_contain_text("6 questions asked, 0 known before, 90 tokens, cost 0.00012")
    expect(said).to_contain_text("Judged without a reference 6")
    assert len(far.asked) == 6 and far.keys == {"Bearer key"}
    expect(page.locator("#items-list")).to_contain_text("judged without a reference")
    choose(context, served.url, language="zh-CN", theme="dark")
    page.set_viewport_size({"width": 400, "height": 900})
    filled(page, "far")
    expect(about).to_contain_text("MT-Bench")
    page.evaluate(SETTLED)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    screenshot(page, "evaluate-judge-zh-CN-dark-400")


def test_a_task_of_the_harness_is_chosen_and_what_it_lacks_is_told(page: Page, far: FakeService) -> None:
    visit(page, "/evaluate?models=tiny-chat&suites=lm_eval:gsm8k:flexible-extract:exact_match")
    field = page.locator("#evaluate-lm_eval input, #evaluate-lm_eval textarea")
    expect(field).to_have_value("gsm8k:flexible-extract:exact_match")
    start(page)
    # No environment is set for it here.
    expect(page.get_by_text("set TUNESMITH_LM_EVAL_PYTHON to the path of lm-eval/bin/python")).to_be_visible()
    field.fill("no task")
    start(page)
    expect(page.get_by_text("lm_eval:no task")).to_be_visible()


def test_an_evaluation_that_is_gone_is_told_and_the_others_are_shown(
    page: Page, served: Served, far: FakeService
) -> None:
    far.delay = 2.0
    filled(page, "far")
    start(page)
    expect(page.locator("#evaluation-head h1")).to_contain_text("mt_bench", timeout=FINAL)
    visit(page, "/evaluate?job=99999")
    expect(page.locator("#evaluate-problem").get_by_role("alert")).to_contain_text("99999")
    # While the other one goes on the page looks again, and says nothing more.
    over = page.locator("#evaluate-jobs").get_by_role("row").filter(has_text="Finished")
    expect(over).to_have_count(len(queue.all_jobs(served.studio, kind="evaluate")), timeout=FINAL)
    expect(page.get_by_text("99999")).to_have_count(1)


def test_a_wrong_key_is_told_in_a_sentence_without_the_key(page: Page, far: FakeService) -> None:
    far.answer = lambda document, _: (401, {"error": {"message": "Incorrect API key provided: key"}}, {})
    filled(page, "far")
    start(page)
    head = page.locator("#evaluation-head")
    expect(head).to_contain_text(
        "The service far returned an error: HTTP 401: Incorrect API *** provided: ***.", timeout=FINAL
    )
    expect(head).to_contain_text("Check its address, model and key.")
    assert 0 < len(far.asked) <= 8, "what is refused is not asked again"


def test_an_address_where_nobody_answers_is_told_in_a_sentence(
    page: Page, served: Served, far: FakeService
) -> None:
    with fake_service() as gone:
        services.add(served.studio.settings.home / services.FILE, "gone", gone.address, "big", "key")
    filled(page, "gone")
    start(page)
    head = page.locator("#evaluation-head")
    expect(head).to_contain_text(re.compile(r"gone \(big\): \d+ requests in a row failed"), timeout=FINAL)
    expect(head).to_contain_text("ConnectError")
