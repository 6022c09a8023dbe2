"""Two adapters become one by a click on the Models page: by a real engine and a real worker, on a demo model."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, expect
from safetensors.numpy import save_file

from studio_core.base.states import State, Stop
from studio_core.base.studio import Studio
from studio_core.models import registry
from studio_core.runs import queue, run_folder
from tests.browser.axe import told
from tests.browser.conftest import Served, choose, in_address, screenshot, visit
from tests.browser.furnished import SETTLED
from tests.conftest import wait_until

pytestmark = pytest.mark.browser

LAYERS, WIDTH, RANK = 4, 192, 4
"""Of tiny-base, and of the adapters on it."""


def adapter(studio: Studio, name: str, seed: int, kind: str = "LORA") -> None:
    """What a training with LoRA leaves, with random weights in place of learnt ones; made without torch."""
    base = registry.get(studio, "tiny-base")
    job = queue.submit(
        studio, kind="train", name=name, method="sft", spec={"run": {"model": {"id": base.id}}}
    )
    folder = Path(str(job.run_dir)) / run_folder.MODEL
    folder.mkdir(parents=True)
    config = {
        "peft_type": kind, "task_type": "CAUSAL_LM", "base_model_name_or_path": base.path, "r": RANK,
        "lora_alpha": 2 * RANK, "target_modules": ["q_proj"], "bias": "none",
    }  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps(config))
    random = np.random.default_rng(seed)
    weights = {}
    for layer in range(LAYERS):
        named = f"base_model.model.model.layers.{layer}.self_attn.q_proj"
        weights[f"{named}.lora_A.weight"] = random.normal(0, 0.05, (RANK, WIDTH)).astype(np.float32)
        weights[f"{named}.lora_B.weight"] = random.normal(0, 0.05, (WIDTH, RANK)).astype(np.float32)
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    registry.register_result(studio, job, {"model": run_folder.MODEL, "kind": "adapter"})


@pytest.fixture(scope="module", autouse=True)
def adapters(served: Served) -> None:
    """Two that go together, and one that no merge takes."""
    queue.pause(served.studio)  # The engine is not to train what is there already.
    for seed, name in enumerate(("poet", "helper")):
        adapter(served.studio, name, seed)
    adapter(served.studio, "prompted", 2, "PROMPT_TUNING")
    for job in queue.waiting(served.studio):
        queue.request_stop(served.studio, job.id, Stop.CANCEL)
    queue.pause(served.studio, False)


def open_form(page: Page) -> None:
    visit(page, "/models")
    page.locator("#models-merge .label-wrap").first.click()
    expect(page.locator("#merge-adapters")).to_contain_text("prompted")


def test_two_adapters_are_merged_and_the_result_knows_its_origin(page: Page, served: Served) -> None:
    open_form(page)
    table = page.locator("#merge-adapters")
    expect(table).to_contain_text("adapter of the kind PROMPT_TUNING")
    expect(table.get_by_role("checkbox")).to_have_count(2)
    table.get_by_role("checkbox", name="poet").check()
    page.locator("#merge-start").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("at least two different adapters; given: poet")

    weight = table.get_by_role("textbox", name="Weight of helper")
    weight.fill("0.3")
    expect(table.get_by_role("checkbox", name="helper")).to_be_checked()
    expect(page.locator("#merge-density")).to_have_count(0)
    page.locator("#merge-method input").click()
    page.get_by_role("option", name="DARE (linear) with SVD", exact=True).click()
    expect(page.locator("#merge-density, #merge-seed")).to_have_count(2)
    expect(table.get_by_role("checkbox", name="poet")).to_be_checked()
    page.get_by_role("textbox", name="Model name").fill("both")
    page.locator("#merge-start").click()
    page.wait_for_url(re.compile(r"/runs\?run=\d+"))

    job_id = int(in_address(page, "run"))
    wait_until(
        lambda: queue.get(served.studio, job_id).state == State.SUCCEEDED, timeout=120, what="it is merged"
    )
    made = registry.get(served.studio, "both")
    assert registry.merged_from(made) == {"poet": 0.5, "helper": 0.3}
    expect(page.locator("#run-compare")).to_have_attribute("href", "/chat?models=tiny-base,both")
    visit(page, "/models")
    origin = page.locator("#models-list tr", has_text="both").locator(".ts-lineage")
    expect(origin).to_contain_text("DARE_LINEAR_SVD · 0.3 × helper + 0.5 × poet")
    expect(origin.get_by_role("link", name="both")).to_have_attribute("href", f"/runs?run={job_id}")


@pytest.mark.parametrize(("language", "theme", "width"), [("zh-CN", "light", 1280), ("en", "dark", 420)])
def test_the_form_is_clean(
    page: Page, context: BrowserContext, served: Served, language: str, theme: str, width: int
) -> None:
    choose(context, served.url, language=language, theme=theme)
    page.set_viewport_size({"width": width, "height": 860})
    open_form(page)
    page.evaluate(SETTLED)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    screenshot(page, f"merge-{language}-{theme}-{width}")
    assert told(page) == []  # In both themes.
