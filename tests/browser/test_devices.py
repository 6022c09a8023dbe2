"""The devices as a person sees them: live, with and without GPUs, in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from studio_core.base.tables import Device
from studio_core.runs import queue
from tests.browser.conftest import Served, choose, screenshot, visit
from tests.conftest import wait_until

pytestmark = pytest.mark.browser


@pytest.fixture
def two_gpus(served: Served) -> Iterator[None]:
    """As the engine would note them; the page finds no driver to ask how they are."""
    wait_until(lambda: queue.devices(served.studio))  # An engine that starts notes its own.
    before = [
        Device(id=slot.id, kind=slot.kind, label=slot.label, memory=slot.memory)
        for slot in queue.devices(served.studio)
    ]
    found = [Device(id=f"GPU-{n}", kind="gpu", label=f"GPU {n}: Test", memory=24 << 30) for n in range(2)]
    queue.set_devices(served.studio, [*before, *found])
    queue.set_foreign_memory(served.studio, {"GPU-1": 20_000_000_000})
    yield
    queue.set_devices(served.studio, before)


def test_the_processor_is_shown_live(page: Page, served: Served) -> None:
    visit(page, "/runs")
    memory = page.get_by_role("meter", name=re.compile("Memory of CPU"))
    expect(memory).to_have_attribute("aria-valuetext", re.compile(r"GB of .* GB"))
    expect(page.get_by_role("meter", name=re.compile("Utilization of CPU"))).to_be_visible()
    before = page.locator("#devices").inner_text()
    changed = "before => document.querySelector('#devices').innerText !== before"
    page.wait_for_function(changed, arg=before)  # By itself.


@pytest.mark.parametrize(("language", "theme", "width"), [("en", "light", 1280), ("zh-CN", "dark", 390)])
def test_gpus_are_shown_and_offered(
    page: Page, context: BrowserContext, served: Served, two_gpus: None, language: str, theme: str, width: int
) -> None:
    choose(context, served.url, language=language, theme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    visit(page, "/runs")
    expect(page.locator(".ts-device")).to_have_count(2)
    expect(page.locator(".ts-device").nth(1)).to_contain_text("20.0 GB")
    expect(page.locator(".ts-device").first).to_contain_text("–")  # No driver tells more.
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    screenshot(page, f"devices-{language}-{theme}")

    visit(page, "/train")
    expect(page.locator("#train-model input")).not_to_have_value("")  # The form is filled.
    page.locator("#train-more button").first.click()
    page.locator("#train-gpus input").fill("3")
    page.locator("#train-gpus input").blur()
    expect(page.locator("#train-plan .ts-notice-bad")).to_contain_text("2")
    page.locator("#train-gpus input").fill("2")
    page.locator("#train-gpus input").blur()
    expect(page.locator("#train-plan [data-ready=true]")).to_be_visible()
    expect(page.locator("#train-plan")).to_contain_text("ddp")
