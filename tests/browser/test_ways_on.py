"""Ways that lead on where a newcomer stood still: recipes, datasets that do not fit, prompts without answers."""

from __future__ import annotations

import re
from threading import Event

import pytest
from playwright.sync_api import Page, Route, expect

from studio_core import training
from studio_core.base.states import Stop
from studio_core.base.tables import Job, LabelProject
from studio_core.curation import making
from studio_core.data import versions
from studio_core.data.shapes import Shape
from studio_core.labeling import exports, projects, rounds
from studio_core.models import registry
from studio_core.runs import queue
from studio_core.runs.spec import DataSpec
from tests.browser.conftest import Served, choose, in_address, screenshot, take, visit
from tests.browser.test_train_runs import pick, ready
from tests.conftest import wait_until
from tests.unit.studio_core.labeling.comparing import compared, judged_at_once, pair, trained

pytestmark = pytest.mark.browser


def run_of(page: Page) -> int:
    """The number of the run whose page is open."""
    page.wait_for_url(re.compile(r"/runs\?run=\d+"))
    return int(in_address(page, "run"))


def test_a_recipe_trains_with_one_click(page: Page, served: Served, paused: None) -> None:
    visit(page, "/")
    page.locator("#try-dpo button").dblclick()
    job = queue.get(served.studio, run_of(page))
    assert (job.method, job.spec["model"]) == ("dpo", "tiny-chat")
    assert len(queue.all_jobs(served.studio, kind="train")) == 1
    expect(page.locator("#run-state")).to_contain_text(f"{job.id} · {job.name}")
    queue.request_stop(served.studio, job.id, Stop.CANCEL)


def test_a_recipe_can_be_changed_first(page: Page) -> None:
    visit(page, "/")
    page.locator("#try-sft a").click()
    expect(page).to_have_url(re.compile(r"/train\?.*model=tiny-base"))
    ready(page)


def test_a_method_finds_the_dataset_again_that_was_chosen_for_it(page: Page, served: Served) -> None:
    visit(page, "/train?method=sft&model=tiny-chat&dataset=tiny-sft-chat")
    ready(page)
    dataset = page.locator("#train-dataset input")
    take(page, "train-method", "(DPO)")
    expect(dataset).to_have_value("")
    pick(page, "train-dataset", "identity-pairs@1")
    ready(page)
    take(page, "train-method", "(SFT)")
    expect(dataset).to_have_value("tiny-sft-chat@1")
    ready(page)
    take(page, "train-method", "Reward model")
    expect(dataset).to_have_value("identity-pairs@1")
    ready(page)


def test_a_method_may_be_chosen_before_the_page_has_asked_what_it_offers(page: Page) -> None:
    """The document shows the form at once; the server hears of the page when its first requests arrive."""
    held: list[Route] = []
    chosen = Event()
    page.route(
        "**/gradio_api/run/predict*",
        lambda route: route.continue_() if chosen.is_set() else held.append(route),
    )
    visit(page, "/train?method=sft&model=tiny-chat&dataset=tiny-sft-chat")
    ready(page)
    page.locator(".gradio-container:visible").wait_for()
    wait_until(lambda: _held(page, held), what="the page asks")
    chosen.set()
    take(page, "train-method", "(DPO)")
    expect(page.locator("#train-dataset input")).to_have_value("")
    expect(page).to_have_url(re.compile(r"method=dpo(?!.*dataset=)"))
    for route in held:
        route.continue_()
    ready(page, "false")
    pick(page, "train-dataset", "identity-pairs@1")
    ready(page)
    expect(page).to_have_url(re.compile(r"dataset=identity-pairs%401"))


def _held(page: Page, held: list[Route]) -> bool:
    page.wait_for_timeout(100)  # Playwright hears of a request only while it waits for something.
    return bool(held)


def test_what_does_not_fit_is_converted_and_chosen(page: Page, served: Served) -> None:
    visit(page, "/train?method=kto&model=tiny-chat")
    offer = page.locator("#train-unfit [data-convert]")
    expect(offer).to_have_count(1)
    screenshot(page, "convert-and-choose")
    offer.click()
    expect(page.locator("#train-dataset input")).to_have_value(
        "identity-pairs-unpaired-preference@1", timeout=120_000
    )
    ready(page)
    made = versions.get(served.studio, "identity-pairs-unpaired-preference")
    assert (
        made.shape == Shape.UNPAIRED_PREFERENCE
        and made.rows == 2 * versions.get(served.studio, "identity-pairs").rows
    )
    expect(offer).to_have_count(0)


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("zh-CN", "dark")])
def test_prompts_without_answers_lead_to_rewards_or_to_answers(
    page: Page, served: Served, language: str, theme: str
) -> None:
    choose(page.context, served.url, language=language, theme=theme)
    prompts = versions.get(served.studio, "sums-prompts")
    asked, labelled = (
        f"/dataset?id={prompts.id}&tab=improve&operation=distill",
        "/label?dataset=sums-prompts@1",
    )
    on_rewards = "/train?dataset=sums-prompts@1"
    for where in ("/data", f"/dataset?id={prompts.id}", f"{on_rewards}&method=sft"):
        visit(page, where)
        for way in (asked, on_rewards):
            expect(page.locator(f'a[href="{way}"]').first).to_be_visible()
    screenshot(page, f"prompts-without-answers-{language}-{theme}")
    page.locator(f'a[href="{on_rewards}"]').first.click()
    expect(page.locator("#train-method")).to_contain_text("GRPO")
    expect(page.locator("#train-plan [data-ready='true']")).to_be_visible()
    expect(page.locator("#train-rewards")).to_be_visible()
    screenshot(page, f"train-on-rewards-{language}-{theme}")
    visit(page, f"{on_rewards}&method=sft")
    page.locator(f'a[href="{labelled}"]').click()
    expect(page.locator("#label-dataset input")).to_have_value("sums-prompts@1")
    visit(page, asked)
    expect(page.locator("#improve-distill-start")).to_be_visible()


def test_two_models_that_answer_alike_are_trained_longer(page: Page, served: Served, paused: None) -> None:
    """A training on votes whose model answers as its base does."""
    studio, base = served.studio, registry.get(served.studio, "tiny-chat")
    root = compared(studio, "votes", [pair(f"q{n}", base, base) for n in range(40)], held_out=0.5)
    judged_at_once(studio, root, lambda item: "a")
    dataset, *_ = exports.make_dataset(studio, root.id)
    usual = training.submit(
        studio, training.spec_from({"method": "dpo", "model": "tiny-chat", "dataset": f"{dataset.name}@1"})
    )
    queue.request_stop(studio, usual.id, Stop.CANCEL)
    run, _ = trained(studio, "tuned", base, dataset)
    with studio.db.write() as session:
        session.get_one(Job, run.id).spec = usual.spec
    left = rounds.prompts_left(studio, rounds.comparison(studio, root.id, run.id))
    visit(page, f"/runs?run={run.id}")
    expect(page.locator("#run-links")).to_contain_text(f"Held-out prompts: {left}")
    page.locator("#run-compare-blind").click()
    page.wait_for_url(re.compile(r"/label\?project=\d+"))
    one = projects.get(studio, int(in_address(page, "project")))
    queue.request_stop(studio, one.job_id or 0, Stop.CANCEL)
    with studio.db.write() as session:
        session.get_one(LabelProject, one.id).counts = {"identical": left}
    said = page.locator("#label-alike")
    expect(said).to_contain_text(f"{left} of {left} answers were identical")
    expect(page.locator("#label-screen-body")).to_be_hidden()
    screenshot(page, "answered-alike")
    expect(said.locator(".ts-button")).to_have_count(
        1
    )  # All prompts held out were asked, and no model writes more.
    said.get_by_role("link", name="Train longer").click()
    ready(page)
    epochs = 2 * usual.spec["run"]["options"]["epochs"]
    expect(page.locator("#train-opt-epochs input")).to_have_value(f"{epochs:g}")


def test_a_new_version_appears_on_the_page_of_its_dataset(page: Page, served: Served) -> None:
    old = versions.get(served.studio, "tiny-sft-chat")
    visit(page, f"/dataset?id={old.id}&tab=versions")
    expect(page.locator("#versions-history li")).to_have_count(1)
    spec = DataSpec(operation="sample", datasets=[f"{old.name}@{old.version}"], options={"n": 5})
    making.submit(served.studio, spec)
    news = page.locator("#dataset-news a")
    expect(news).to_have_text(f"{old.name}@{old.version + 1}", timeout=120_000)
    expect(page.locator("#versions-history li")).to_have_count(2)
    news.click()
    expect(page.locator("#dataset-head h1")).to_contain_text(f"version {old.version + 1}")
