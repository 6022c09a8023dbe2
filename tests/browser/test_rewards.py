"""The rewards of a training: ticked, weighed, set, and tried before the start."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from studio_core.data import store
from studio_core.generation import services
from studio_core.models import registry
from studio_core.runs import queue
from studio_core.runs.spec import RewardChoice, TrainSpec
from tests.browser.axe import told
from tests.browser.conftest import Served, choose, in_address, screenshot, visit
from tests.conftest import wait_until

pytestmark = pytest.mark.browser

GRPO = "/train?method=grpo&model=tiny-chat&dataset=sums-prompts@1"


@pytest.fixture(scope="module", autouse=True)
def samples(served: Served) -> None:
    wait_until(lambda: len(store.all_datasets(served.studio)) >= 4, what="the sample data are there")
    wait_until(lambda: len(registry.all_models(served.studio)) >= 2, what="the demo models are there")


def ready(page: Page, state: str = "true") -> None:
    expect(page.locator(f"#train-plan [data-ready='{state}']")).to_be_visible()


def tick(page: Page, reward: str) -> None:
    page.locator(f'[data-reward="{reward}"] input[type=checkbox]').first.check()


def fill(page: Page, field: str, value: str) -> None:
    page.locator(f'#train-rewards [name="rewards.{field}"]').fill(value)
    page.locator(f'#train-rewards [name="rewards.{field}"]').blur()


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("zh-CN", "dark")])
def test_rewards_are_built_and_tried(page: Page, served: Served, language: str, theme: str) -> None:
    choose(page.context, served.url, language=language, theme=theme)
    visit(page, GRPO)
    ready(page)
    weight = page.locator('[name="rewards.boxed.weight"]')
    expect(weight).to_be_hidden()
    tick(page, "equality")
    tick(page, "boxed")
    expect(weight).to_be_visible()
    fill(page, "boxed.weight", "much")
    ready(page, "false")
    expect(page.locator("#train-plan")).to_contain_text("boxed:much")
    fill(page, "boxed.weight", "0.2")
    tick(page, "contains")
    ready(page, "false")  # A text that is not there yet.
    fill(page, "contains.text", "Ones")
    ready(page)

    page.locator("#train-try-rewards").click()
    trials = page.locator("#train-trials")
    expect(trials.locator("table")).to_have_count(2, timeout=120_000)
    references, answers = trials.locator("table").all()
    expect(references.locator("tbody tr")).to_have_count(5)
    expect(answers.locator("tbody tr")).to_have_count(5)
    # The data's own answers are right and in no box; of the model's each has three parts and their sum.
    for row in references.locator("tbody tr").all():
        expect(row.locator("td").nth(2)).to_have_text("1")
        expect(row.locator("td").nth(3)).to_have_text("0 × 0.2")
    for row in answers.locator("tbody tr").all():
        cells = [cell.inner_text() for cell in row.locator("td").all()]
        first, boxed, third = (float(cell.split("×")[0]) for cell in cells[2:5])
        assert float(cells[5]) == pytest.approx(first + 0.2 * boxed + third)
    screenshot(page, f"rewards-tried-{language}-{theme}")
    assert told(page) == []
    page.set_viewport_size({"width": 420, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    screenshot(page, f"rewards-tried-narrow-{language}-{theme}")


def test_what_is_ticked_is_what_the_run_gets_and_what_a_duplicate_shows(page: Page, served: Served) -> None:
    queue.pause(served.studio)
    visit(page, GRPO)
    tick(page, "equality")
    tick(page, "shorter")
    fill(page, "shorter.weight", "-0.5")
    fill(page, "shorter.characters", "100")
    page.locator(".ts-reward-more summary").click()
    fill_more = page.locator('#train-rewards textarea[name="rewards"]')
    fill_more.fill("shorter:0.1:30")
    fill_more.blur()
    ready(page)
    expect(page.locator('[data-reward="own_code"]')).to_have_count(0)  # Not allowed on this server.
    tick(page, "judge")
    ready(page, "false")
    expect(page.locator("#train-plan")).to_contain_text("has nobody to ask")
    fill(page, "judge.criteria", "right 2: Is it right?\nclear: Is it clear?")
    services.add(served.studio.settings.home / services.FILE, "judging", "http://127.0.0.1:9/v1", "m")
    fill(page, "judge.service", "judging")
    ready(page)
    page.locator("#train-start").click()
    page.wait_for_url(re.compile(r"/runs\?run=\d+"))
    job = queue.get(served.studio, int(in_address(page, "run")))
    expected = [
        RewardChoice(name="equality"),
        RewardChoice(name="shorter", weight=-0.5, options={"characters": 100}),
        RewardChoice(
            name="judge",
            options={"criteria": "right 2: Is it right?\nclear: Is it clear?", "service": "judging"},
        ),
        RewardChoice(name="shorter", weight=0.1, options={"characters": 30}),
    ]
    spec = TrainSpec.model_validate(job.spec["run"]["spec"])
    assert [(one.name, one.weight, one.options) for one in spec.rewards] == [
        (one.name, one.weight, one.options) for one in expected
    ], json.dumps(job.spec)
    visit(page, f"/train?duplicate={job.id}")
    expect(page.locator('[name="rewards.judge.service"]')).to_have_value("judging")
    expect(page.locator('[name="rewards.shorter.weight"]')).to_have_value("-0.5")
    expect(page.locator('[data-reward="equality"] input[type=checkbox]').first).to_be_checked()
    expect(page.locator('#train-rewards textarea[name="rewards"]')).to_have_value("shorter:0.1:30")
