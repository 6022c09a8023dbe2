"""Improving a dataset in a browser: a preview beforehand, progress in place, and the new version at the end."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from studio_core.data import store, versions
from tests.browser.conftest import Served, visit

pytestmark = pytest.mark.browser


def test_from_a_card_to_the_new_version(page: Page, served: Served) -> None:
    visit(page, "/dataset?id=identity-pairs&tab=improve")
    page.get_by_role("button", name="Find and replace").click()
    page.locator("#improve-replace-find input, #improve-replace-find textarea").fill("Dulo")
    page.locator("#improve-replace-replace input, #improve-replace-replace textarea").fill("Mara <b>")
    trial = page.locator("#improve-preview")
    expect(trial).to_contain_text("Preview of all 150 records")
    expect(trial.locator(".ts-before-after").first).to_contain_text("Mara <b>")
    page.locator("#improve-replace-start").click()
    done = page.locator("#improve-progress .ts-notice-good")
    expect(done).to_be_visible(timeout=120_000)
    page.get_by_role("link", name="Open identity-pairs@2 (150 records)").click()
    expect(page.locator("#dataset-head")).to_contain_text("version 2")
    made = versions.get(served.studio, "identity-pairs")
    assert made.made["counts"]["changed"] > 0 and made.operation == "replace"


def test_a_record_is_edited_and_another_deleted(page: Page, served: Served) -> None:
    visit(page, "/dataset?id=identity-pairs@1&tab=improve&operation=edit&row=5")
    answer = page.locator("#editor-text-1 textarea")
    expect(answer).not_to_have_value("")
    answer.fill("I am new.")
    page.locator("#editor-keep").click()
    trial = page.locator("#improve-preview")
    expect(trial).to_contain_text("Pending changes: 1")
    page.locator("#editor-forward").click()
    expect(page.locator("#editor-row input")).to_have_value("6")
    page.locator("#editor-delete").click()
    expect(trial).to_contain_text("Row 6 would be removed")
    page.locator("#improve-edit-result input, #improve-edit-result textarea").fill("edited")
    page.locator("#improve-edit-start").click()
    expect(page.locator("#improve-progress")).to_contain_text("Open edited@1 (149 records)", timeout=120_000)
    made = versions.get(served.studio, "edited")
    assert store.records(served.studio, made, 4, 1)[0]["chosen"][0]["content"] == "I am new."


def test_a_mistake_is_said_before_anything_is_started(page: Page, served: Served) -> None:
    visit(page, "/dataset?id=identity-pairs@1&tab=improve&operation=filter&matching=(")
    trial = page.locator("#improve-preview")
    expect(trial).to_contain_text("is not a valid regular expression")
    page.locator("#improve-filter-start").click()
    expect(page.locator(".toast-body")).to_contain_text("is not a valid regular expression")
