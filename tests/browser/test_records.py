"""Looking through a dataset in a real browser: search, keys, the opened record, the address."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from studio_core.base.tables import Dataset
from studio_core.data import store
from tests.browser.conftest import Served, choose, screenshot, visit

pytestmark = pytest.mark.browser

HOSTILE = (
    "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>${alert(1)}{{name}}"
)


@pytest.fixture
def dataset(served: Served, tmp_path: Path) -> Dataset:
    rows = [{"prompt": f"Question {n}", "completion": f"Answer {n} 机器学习"} for n in range(1, 61)]
    rows[6]["completion"] = HOSTILE
    file = tmp_path / "browsed.jsonl"
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return store.import_file(served.studio, file).dataset


def search(page: Page, text: str) -> None:
    box = page.locator("#browse-search textarea, #browse-search input")
    box.fill(text)
    box.press("Enter")


def test_searching_paging_and_reading_by_keys(page: Page, dataset: Dataset, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit(page, f"/dataset?id={dataset.id}")
    lines, where, card = (
        page.locator(at) for at in ("#data-records tbody tr", "#data-position", "#record-card")
    )
    expect(lines).to_have_count(25)
    expect(where).to_contain_text("1 to 25 of 60")
    page.locator("#data-next").click()
    expect(where).to_contain_text("26 to 50 of 60")
    expect(page).to_have_url(re.compile("offset=25"))
    search(page, "answer 1")
    expect(where).to_contain_text("1 to 15 of 15")
    expect(lines.first.locator("mark")).to_have_text(["1", "Answer", "1"])
    page.locator("h1").click()

    page.keyboard.press("j")
    expect(lines.nth(0).locator("a[data-row]")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("k")
    expect(lines.nth(1).locator("a[data-row]")).to_be_focused()
    page.keyboard.press("Enter")
    expect(card).to_contain_text("Record 10")
    page.keyboard.press("j")
    expect(card).to_contain_text("Record 11")
    expect(card).to_contain_text("Answer 11 机器学习")
    expect(page).to_have_url(re.compile(r"q=answer\+1.*row=11"))
    page.get_by_role("tab", name="JSON").click()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert copied["prompt"][0]["content"] == "Question 11"
    page.locator("#browse-search textarea, #browse-search input").focus()
    page.keyboard.press("k")
    expect(card).to_contain_text("Record 11")
    page.locator("h1").click()
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    expect(page).not_to_have_url(re.compile("row="))


def test_a_link_to_one_record(page: Page, dataset: Dataset) -> None:
    visit(page, f"/dataset?id={dataset.id}&row=7&q=onerror")
    expect(page.locator("#record-chat")).to_contain_text(HOSTILE)
    expect(page.locator("#data-records tbody tr")).to_have_count(1)
    page.get_by_role("tab", name="Tokens").click()
    expect(page.locator("#data-preview mark.ts-trained").first).to_be_visible()
    assert page.locator("#record-card img, #data-records img").count() == 0
    assert page.title() != "run"
    expect(page.get_by_role("link", name="Edit")).to_have_attribute("href", re.compile("operation=edit"))


def test_what_is_found_in_chinese_and_in_the_dark(
    page: Page, dataset: Dataset, context: BrowserContext, served: Served
) -> None:
    choose(context, served.url, language="zh-CN", theme="dark")
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, f"/dataset?id={dataset.id}&q=%E5%AD%A6%E4%B9%A0&row=3")
    expect(page.locator("#data-position")).to_contain_text("共 59 条")
    expect(page.locator("#record-card")).to_contain_text("样本 3")
    screenshot(page, "records-zh-dark-narrow")
