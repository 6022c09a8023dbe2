"""From the click on Train to a resumed run's last point, in a real browser, with a real engine and worker."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from studio_core import training
from studio_core.base.states import TERMINAL, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.data import store
from studio_core.methods import METHODS
from studio_core.models import registry
from studio_core.runs import metrics, queue
from studio_core.tunings import TUNINGS
from tests.browser.axe import told
from tests.browser.conftest import Served, choose, come_to_charts, in_address, screenshot, take, visit
from tests.conftest import wait_until

pytestmark = pytest.mark.browser

CHART = "document.querySelector('#run-chart-loss .js-plotly-plot')"


@pytest.fixture(scope="module", autouse=True)
def samples(served: Served) -> None:
    wait_until(lambda: len(store.all_datasets(served.studio)) >= 4, what="the sample data are there")
    wait_until(lambda: len(registry.all_models(served.studio)) >= 2, what="the demo models are there")


def pick(page: Page, field: str, choice: str) -> None:
    """Choose from a dropdown."""
    page.locator(f"#{field} input").click()
    page.get_by_role("option", name=choice, exact=True).click()


def ready(page: Page, state: str = "true") -> None:
    expect(page.locator(f"#train-plan [data-ready='{state}']")).to_be_visible()


def ended(studio: Studio, job_id: int) -> Job:
    job = wait_until(
        lambda: job if (job := queue.get(studio, job_id)).state in TERMINAL else None,
        timeout=400,  # A machine that has more to do is many times slower.
        what=f"job {job_id} has ended",
    )
    assert job is not None
    return job


@pytest.mark.timeout(900)
def test_train_watch_stop_resume(page: Page, served: Served) -> None:
    studio = served.studio
    before = len(queue.all_jobs(studio))
    visit(page, "/train?dataset=tiny-sft-chat&model=tiny-base&method=sft")
    ready(page)
    page.locator("#train-preset").get_by_text("Quick", exact=True).click()
    page.get_by_role("textbox", name="Run name").fill("first steps")
    expect(page.locator("#train-plan")).to_contain_text("375")  # Steps: 1,000 rows, 8 a step, 3 passes.
    page.locator("#train-start").dblclick()
    page.wait_for_url(re.compile(r"/runs\?run=\d+"))
    job_id = int(in_address(page, "run"))
    assert len(queue.all_jobs(studio)) == before + 1

    # The chart appears, and goes on growing without losing its zoom.
    come_to_charts(page)
    page.wait_for_function(f"{CHART}?.data[0].x.length >= 3", timeout=90_000)
    page.evaluate(f"Plotly.relayout({CHART}, {{'xaxis.range': [0, 400]}})")
    points = page.evaluate(f"{CHART}.data[0].x.length")
    page.wait_for_function(f"{CHART}.data[0].x.length > {points}", timeout=60_000)
    assert page.evaluate(f"{CHART}.layout.xaxis.range") == [0, 400]
    expect(page.locator("#run-progress [role=progressbar]")).to_be_visible()
    assert told(page) == []  # Of a run that goes on; of all else ``test_axe`` asks.

    page.locator("#run-stop button, button#run-stop").click()
    stopped = ended(studio, job_id)
    assert (stopped.state, stopped.cause) == (State.SUCCEEDED, "stopped"), stopped.detail
    assert 0 < stopped.step < (stopped.total_steps or 0)
    expect(page.locator("#run-state")).to_contain_text("Stopped and saved")
    expect(page.locator("#run-checkpoints")).to_contain_text("complete")
    assert registry.get(studio, "first-steps").job_id == job_id

    page.locator("button#run-resume").click()
    page.wait_for_url(re.compile(rf"/runs\?run=(?!{job_id}\b)\d+"))
    again = ended(studio, int(in_address(page, "run")))
    assert (again.state, again.cause, again.resumes_id) == (State.SUCCEEDED, None, job_id), again.detail
    steps = [point.step for point in training.curve(studio, again) if "loss" in point.values]
    assert steps == list(range(1, 376))
    assert min(point.step for point in metrics.points(studio, again.id)) > stopped.step

    # The curve of both runs, answers before and after, and the hand-over to the chat.
    come_to_charts(page)
    page.wait_for_function(f"{CHART}?.data[0].x.at(-1) === 375", timeout=20_000)
    assert page.evaluate(f"{CHART}.data[0].x.length") == 375
    expect(page.locator("#run-samples tbody tr")).to_have_count(4)
    expect(page.locator("#run-samples")).to_contain_text("step 375")
    expect(page.locator("#run-compare")).to_have_attribute("href", "/chat?models=tiny-base,first-steps-2")
    expect(page.locator("#run-state")).to_contain_text("Finished all steps")
    screenshot(page, "run")

    visit(page, "/runs")
    expect(page.locator("#runs-list")).to_contain_text("first steps")
    page.locator(f"#runs-list a[href='/runs?run={again.id}']").click()
    expect(page.locator("#run-state h1")).to_contain_text(f"{again.id} · first steps")


def test_the_form_follows_the_method(page: Page, served: Served) -> None:
    visit(page, "/train?method=dpo&model=tiny-chat&dataset=identity-pairs")
    ready(page)
    expect(page.locator("#train-model input")).to_have_value("tiny-chat")
    expect(page.locator("#train-dataset input")).to_have_value(re.compile("identity-pairs@"))
    expect(page.locator("#train-opt-beta")).to_be_visible()
    expect(page.locator("#train-opt-lora_rank")).to_be_hidden()
    take(page, "train-tuning", "LoRA")
    expect(page.locator("#train-opt-lora_rank")).to_be_visible()
    take(page, "train-method", "Supervised fine-tuning (SFT)")
    expect(page.locator("#train-opt-beta")).to_be_hidden()
    expect(page.locator("#train-unfit")).to_contain_text("do not fit this training method")
    expect(page.locator("#train-dataset input")).to_have_value("")
    ready(page, "false")
    expect(page.locator("#train-plan")).to_contain_text("Choose a dataset.")
    expect(page.locator("button#train-start")).to_be_disabled()
    pick(page, "train-dataset", "tiny-sft-chat@1")
    ready(page)
    take(page, "train-method", "(KTO)")
    expect(page.locator("#train-opt-beta")).to_be_visible()
    page.get_by_text("Advanced options").click()
    box = page.locator("#train-opt-balance").bounding_box()
    assert box is not None and box["width"] > 150  # Beside six numbers, which have a least width.


def test_what_a_loss_is_for_stands_below_the_list(page: Page) -> None:
    visit(page, "/train?method=dpo&model=tiny-chat&dataset=identity-pairs")
    loss = page.locator("#train-opt-loss")
    expect(loss.locator("[data-choice]:visible")).to_have_text(re.compile("^Standard DPO"))
    loss.locator("select").select_option("apo_down")
    expect(loss.locator("[data-choice]:visible")).to_have_text(re.compile("^Lowers both answers"))
    screenshot(page, "train-loss")


def test_the_ways_of_tuning_follow_the_method(page: Page, served: Served) -> None:
    """What is chosen for one method stays for another that offers it, and says what it means there; what that cannot
    be had with is refused."""
    visit(page, "/train?method=dpo&model=tiny-chat&dataset=identity-pairs")
    ready(page)
    tuning = page.locator("#train-tuning").get_by_role("combobox")
    take(page, "train-tuning", "QLoRA")
    ready(page)
    expect(page.locator("#train-opt-lora_rank")).to_be_visible()
    page.locator("#train-more").get_by_role("button").first.click()
    page.get_by_role("textbox", name="Fixed prompts").fill("Who are you?")
    take(page, "train-method", "Reward model")
    ready(page)
    expect(page.locator("#train-prompts")).to_be_hidden()  # What it makes writes nothing.
    expect(tuning).to_contain_text("into the unquantized model")
    expect(tuning).to_have_accessible_name("Fine-tuning method QLoRA")
    tuning.click()
    refused = page.locator("#train-tuning").get_by_role("option", name="Prompt tuning", exact=True)
    expect(refused).to_be_disabled()
    expect(refused).to_have_accessible_description("Not available for this training method: Reward model.")
    refused.click(force=True)
    tuning.press("Escape")
    expect(tuning).to_have_accessible_name("Fine-tuning method QLoRA")
    take(page, "train-tuning", "LoRA")
    expect(tuning).to_contain_text("into a complete model")
    ready(page)
    expect(page.locator("#train-plan .ts-command pre")).to_contain_text("--tuning lora")
    expect(page.locator("#train-plan .ts-command pre")).not_to_contain_text("--prompt")
    take(page, "train-method", "(KTO)")
    expect(page.get_by_role("textbox", name="Fixed prompts")).to_have_value("Who are you?")
    expect(tuning).to_contain_text("the result is an adapter")

    visit(page, "/train?method=reward&tuning=qlora&model=tiny-chat&dataset=identity-pairs")
    ready(page)
    expect(tuning).to_have_accessible_name("Fine-tuning method QLoRA")
    page.get_by_role("textbox", name="Run name").fill(
        "named"
    )  # When this is answered, all before it has been.
    expect(page.locator("#train-plan .ts-command pre")).to_contain_text("--name named")
    expect(page.locator("#train-plan .ts-command pre")).to_contain_text("--tuning qlora")
    expect(page.locator("#train-plan")).not_to_contain_text("Changed from the preset")


def drawn(page: Page) -> set[str]:
    """The options that are on the page, seen or folded away."""
    inputs = page.locator("#train-options [name]")
    return set(inputs.evaluate_all("inputs => inputs.map(input => input.name)"))


def test_only_the_options_of_the_chosen_are_drawn_and_what_was_typed_comes_back(page: Page) -> None:
    visit(page, "/train?method=dpo&model=tiny-chat&dataset=identity-pairs")
    ready(page)
    roles = {"data.held_out"}  # Whatever the method, and named as a dataset is.
    assert drawn(page) == set(METHODS["dpo"].Options.model_fields) | roles
    page.locator("#train-opt-beta input").fill("0.3")
    page.locator("#train-opt-max_length input").fill("99")
    page.locator("#train-opt-advanced summary").click()
    page.locator("#train-opt-data-held_out input").fill("identity-pairs@1")
    expect(page.locator("#train-plan")).to_contain_text("Beta: 0.3 (preset: 0.1)")
    take(page, "train-tuning", "LoRA")
    page.locator("#train-opt-lora_rank input").fill("4")
    lora = set(TUNINGS["lora"].Options.model_fields)
    assert drawn(page) == set(METHODS["dpo"].Options.model_fields) | roles | lora

    take(page, "train-method", "Reward model")
    expect(page.locator("#train-opt-beta")).to_have_count(0)
    assert drawn(page) == set(METHODS["reward"].Options.model_fields) | roles | lora
    expect(page.locator("#train-opt-lora_rank input")).to_have_value(
        "4"
    )  # Of one tuning, whatever the method.
    take(page, "train-tuning", "Full")
    expect(page.locator("#train-opt-lora_rank")).to_have_count(0)

    take(page, "train-method", "(DPO)")
    expect(page.locator("#train-opt-beta input")).to_have_value("0.3")
    expect(page.locator("#train-opt-max_length input")).to_have_value("99")
    take(page, "train-tuning", "LoRA")
    expect(page.locator("#train-opt-lora_rank input")).to_have_value("4")
    plan = page.locator("#train-plan .ts-command pre")
    for changed in (
        "--tuning lora",
        "--data held_out=identity-pairs@1",
        "--set beta=0.3",
        "--set max_length=99",
        "--set lora_rank=4",
    ):
        expect(plan).to_contain_text(changed)


def test_a_method_is_chosen_with_the_keyboard(page: Page) -> None:
    visit(page, "/train?method=sft&model=tiny-chat&dataset=tiny-sft-chat")
    ready(page)
    method = page.locator("#train-method").get_by_role("combobox")
    expect(method).to_have_accessible_name("Training method Supervised fine-tuning (SFT)")
    method.focus()
    page.keyboard.type("kto")  # Letters lead to a word of the title.
    option = page.locator("#train-method").get_by_role("option", name="(KTO)")
    expect(method).to_have_attribute("aria-activedescendant", option.get_attribute("id") or "")
    page.keyboard.press("Escape")
    expect(option).to_be_hidden()
    expect(method).to_have_accessible_name("Training method Supervised fine-tuning (SFT)")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(method).to_have_accessible_name("Training method SFT with KL penalty")
    expect(method).to_be_focused()
    expect(page.locator("#train-opt-kl_coef")).to_be_visible()
    # The address follows the form (static/js/train.js).
    expect(page).to_have_url(re.compile(r"[?&]method=sft-kl(&|$)"))


def test_the_form_that_opens_never_says_that_something_is_missing(page: Page, served: Served) -> None:
    page.add_init_script(
        """window.complaints = [];
        new MutationObserver(() => document.querySelectorAll('#train-plan .ts-notice-bad')
            .forEach(notice => window.complaints.push(notice.innerText)))
            .observe(document, {childList: true, subtree: true});"""
    )
    visit(page, "/train?dataset=tiny-sft-chat&model=tiny-base&method=sft")
    ready(page)
    page.get_by_role("textbox", name="Run name").fill(
        "named"
    )  # When this is answered, all before it has been.
    expect(page.locator("#train-plan")).to_contain_text("--name named")
    assert page.evaluate("window.complaints") == []


def test_bad_values_are_named_and_nothing_starts(page: Page, served: Served) -> None:
    before = len(queue.all_jobs(served.studio))
    visit(page, "/train?method=sft&model=tiny-base&dataset=tiny-sft-chat")
    ready(page)
    page.locator("#train-opt-learning_rate input").fill("7")
    ready(page, "false")
    expect(page.locator("#train-plan")).to_contain_text("learning_rate is 7")
    page.locator("#train-opt-learning_rate input").fill("0.002")
    ready(page)
    expect(page.locator("#train-plan")).to_contain_text("Learning rate: 0.002 (preset: 0.0015)")
    page.get_by_role("textbox", name="Run name").fill("../../etc")
    ready(page, "false")
    expect(page.locator("#train-plan")).to_contain_text("has a slash")
    page.locator("#train-other-model").get_by_role("button").first.click()
    page.get_by_role("textbox", name="Folder or Hub name").fill("/etc")
    page.locator("button#train-add-model").click()
    expect(page.get_by_text("outside the folders Tunesmith may read").first).to_be_visible()
    assert len(queue.all_jobs(served.studio)) == before


def test_a_second_click_is_the_same_job_and_cancel_ends_it(page: Page, served: Served) -> None:
    studio, evil = served.studio, "<img src=x onerror=alert(1)>${alert(2)}{{alert(3)}}"
    page.on("dialog", lambda dialog: pytest.fail(f"a script of the data ran: {dialog.message}"))
    visit(page, "/train?method=dpo&model=tiny-chat&dataset=identity-pairs")
    ready(page)
    page.get_by_role("textbox", name="Run name").fill(evil)
    page.locator("#train-more").get_by_role("button").first.click()
    page.get_by_role("textbox", name="Fixed prompts").fill(f"{evil}\nWho are you?")
    expect(page.locator("#train-plan .ts-command pre")).to_contain_text("Who are you?")
    before = len(queue.all_jobs(studio))
    page.locator("button#train-start").dblclick()
    page.wait_for_url("**/runs?run=*")
    assert len(queue.all_jobs(studio)) == before + 1
    job = queue.all_jobs(studio)[0]
    assert page.url.endswith(f"run={job.id}")
    assert job.spec["run"]["prompts"] == [evil, "Who are you?"]
    expect(page.locator("#run-state h1")).to_contain_text(evil)
    expect(page.locator("#run-config")).to_contain_text(evil)
    page.locator("button#run-cancel").click()
    assert ended(studio, job.id).state == State.CANCELLED
    expect(page.locator("#run-state")).to_contain_text("Cancelled by the user")
    expect(page.locator("button#run-cancel")).to_be_hidden()
    page.locator("#run-duplicate").click()
    page.locator("#train-more").get_by_role("button").first.click()
    expect(page.get_by_role("textbox", name="Fixed prompts")).to_have_value(f"{evil}\nWho are you?")
    expect(page.locator("#train-dataset input")).to_have_value(re.compile("identity-pairs"))


def test_an_unknown_run_is_said_to_be_so(page: Page, served: Served) -> None:
    for number in ("99999", "../x", "1e3"):
        visit(page, f"/runs?run={number}")
        expect(page.locator("#runs-list")).to_contain_text("There is no job")


@pytest.mark.parametrize(("language", "theme"), [("en", "dark"), ("zh-CN", "light")])
def test_both_pages_in_each_look(page: Page, served: Served, language: str, theme: str) -> None:
    choose(page.context, served.url, language=language, theme=theme)
    visit(page, "/train?method=sft&model=tiny-base&dataset=tiny-sft-chat")
    ready(page)
    expect(page.locator("#train-start")).to_have_text("Train" if language == "en" else "开始训练")
    screenshot(page, f"train-{language}-{theme}")
    page.set_viewport_size({"width": 420, "height": 900})
    # Nothing is wider than a narrow window.
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    visit(page, "/runs")
    expect(page.locator("#runs-list")).to_contain_text("SFT")
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    screenshot(page, f"runs-{language}-{theme}-narrow")


def test_a_long_run_is_drawn_with_its_peaks_and_grows(page: Page, served: Served, paused: None) -> None:
    studio = served.studio
    job = training.submit(
        studio, training.spec_from({"method": "sft", "model": "tiny-base", "dataset": "tiny-sft-chat"})
    )
    report(studio, job, range(1, 30_001), {12_345: 99.0, 20_001: None})
    visit(page, f"/runs?run={job.id}")
    come_to_charts(page)
    page.wait_for_function(f"{CHART}?.data[0].x.at(-1) === 30000")
    steps, values = page.evaluate(f"[{CHART}.data[0].x, {CHART}.data[0].y]")
    assert len(steps) <= 1500 and steps == sorted(steps)
    assert values[steps.index(12_345)] == 99.0
    assert values[steps.index(20_001)] is None
    page.evaluate("document.querySelector('#run-chart-loss').dataset.kept = 'yes'")
    report(studio, job, range(30_001, 30_101), {})
    page.wait_for_function(f"{CHART}.data[0].x.at(-1) === 30100")
    report(studio, job, range(30_101, 33_001), {32_000: 77.0})  # More than is appended at once: drawn anew.
    page.wait_for_function(f"{CHART}.data[0].x.at(-1) === 33000")
    steps, values = page.evaluate(f"[{CHART}.data[0].x, {CHART}.data[0].y]")
    assert len(steps) <= 1500 and steps == sorted(steps)
    assert (values[steps.index(12_345)], values[steps.index(32_000)]) == (99.0, 77.0)
    expect(page.locator("#run-chart-loss")).to_have_attribute("data-kept", "yes")
    page.locator("button#run-cancel").click()
    expect(page.locator("#run-state")).to_contain_text("Cancelled")


def report(studio: Studio, job: Job, steps: range, spikes: dict[int, float | None]) -> None:
    """Store losses of 1 as the engine would, but those named."""
    start = queue.get(studio, job.id).events_offset
    lines = []
    for step in steps:
        event = {
            "seq": step,
            "at": "2026-11-21T08:00:00Z",
            "type": "metrics",
            "step": step,
            "total_steps": 50_000,
        }
        lines.append(
            (start + step, json.dumps({**event, "values": {"loss": spikes.get(step, 1.0)}}).encode())
        )
    for begin in range(0, len(lines), 2000):
        metrics.store(studio, job.id, lines[begin : begin + 2000])
