"""A model is exported by clicks: by a real engine and a real worker, and its file is fetched."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from studio_core.base.states import State
from studio_core.exports import FORMATS, pushing, results
from studio_core.runs import queue
from tests.browser.axe import told
from tests.browser.chatting import set_number
from tests.browser.conftest import Served, choose, in_address, screenshot, visit
from tests.browser.furnished import SETTLED
from tests.conftest import wait_until

pytestmark = pytest.mark.browser

ASKED = 12
"""Prompts of a comparison: as many as show that there is one."""
TITLES = {"en": ("Parity with the original", "Same text"), "zh-CN": ("与原模型的一致性", "文本相同")}


def choose_format(page: Page, title: str) -> None:
    page.locator("#export-as").get_by_role("combobox").click()
    page.get_by_role("option", name=title, exact=True).click()


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("zh-CN", "dark")])
def test_a_gguf_is_made_compared_and_fetched(
    page: Page, context: BrowserContext, served: Served, language: str, theme: str
) -> None:
    choose(context, served.url, language=language, theme=theme)
    visit(page, "/export?model=tiny-chat")
    choose_format(page, "GGUF")
    page.locator("#export-comparison .label-wrap").first.click()
    page.evaluate(SETTLED)  # A field that has just been drawn takes its own value once more.
    set_number(page, "export-prompts", str(ASKED))
    page.locator("#export-start").click()
    page.wait_for_url(re.compile(r"/runs\?run=\d+"))

    job_id = int(in_address(page, "run"))
    wait_until(
        lambda: queue.get(served.studio, job_id).state == State.SUCCEEDED, timeout=240, what="the export"
    )
    _, manifest = results.get(served.studio, job_id)
    [name] = manifest.files
    assert manifest.parity is not None
    for title in TITLES[language]:
        expect(page.get_by_text(title, exact=True).first).to_be_visible()
    expect(page.get_by_text(f"{manifest.parity.same_text} / {ASKED}", exact=True).first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name=name, exact=True).click()
    assert download.value.path().read_bytes()[:4] == b"GGUF"
    assert download.value.path().stat().st_size == manifest.files[name].size
    page.evaluate(SETTLED)
    screenshot(page, f"export-result-{language}-{theme}")
    assert told(page) == []  # In both themes.

    page.locator("#export-to-hub").click()
    page.wait_for_url(re.compile(rf"/export\?push={job_id}"))
    expect(page.locator("#push-shown")).to_contain_text(name)
    expect(page.locator("#push-shown .ts-model-card")).to_contain_text("library_name: gguf")
    expect(page.locator("#push-private input")).to_be_checked()
    page.evaluate(SETTLED)
    screenshot(page, f"export-push-{language}-{theme}")
    assert told(page) == []
    page.locator("#push-repo input").fill("me/mine")
    page.locator("#push-start").click()
    page.wait_for_url(re.compile(r"/runs\?run=\d+"))
    # Nobody has given this machine a token; nothing was sent.
    expect(page.locator("#run-state .ts-notice")).to_contain_text("hf auth login", timeout=60_000)
    pushed = queue.get(served.studio, int(in_address(page, "run")))
    assert pushed.spec["public"] is False and pushing.pushed(pushed) is None


@pytest.mark.parametrize(("language", "theme", "width"), [("en", "light", 1280), ("zh-CN", "dark", 400)])
def test_what_a_format_lacks_is_told_before_it_is_asked_for(
    page: Page, context: BrowserContext, served: Served, language: str, theme: str, width: int
) -> None:
    choose(context, served.url, language=language, theme=theme)
    page.set_viewport_size({"width": width, "height": 860})
    visit(page, "/export?model=tiny-chat")
    choose_format(page, "AWQ")
    expect(page.locator("#export-options-awq")).to_be_visible()
    expect(page.locator("#export-options-gguf")).to_be_hidden()
    start = page.locator("#export-start")
    if lacking := FORMATS["awq"].missing(FORMATS["awq"].Options()):
        expect(page.locator("#export-told")).to_contain_text(lacking.sentence(language))
        expect(start).to_be_disabled()
    else:
        expect(start).to_be_enabled()
    page.locator("#export-awq-dataset").get_by_role("combobox").click()
    expect(page.get_by_role("option", name="worked-sums@1", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    page.evaluate(SETTLED)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    screenshot(page, f"export-awq-{language}-{theme}-{width}")
    assert told(page) == []  # In both themes.


def test_a_model_that_is_not_there_is_told_and_no_other_is_chosen_for_it(page: Page, served: Served) -> None:
    visit(page, "/export?model=gone")
    expect(page.locator("#export-told")).to_contain_text("There is no model gone")
    expect(page.locator("#export-model input")).to_have_value("")
    expect(page.locator("#export-start")).to_be_disabled()
    page.locator("#export-model").get_by_role("combobox").click()
    page.get_by_role("option", name="tiny-chat", exact=True).click()
    expect(page.locator("#export-start")).to_be_enabled()
