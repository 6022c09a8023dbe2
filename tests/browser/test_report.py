"""The report in a real browser: made when its tab is opened, drawn, and left for what mends a finding."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from studio_core.data import store
from tests.browser.conftest import Served, screenshot, visit

pytestmark = pytest.mark.browser


def test_a_report_is_made_drawn_and_leads_to_what_mends_it(
    page: Page, served: Served, tmp_path: Path
) -> None:
    rows = [
        {"prompt": f"What is {n} plus one?", "completion": f"It is {n + 1}, of course."} for n in range(30)
    ]
    rows += [
        rows[0],
        {"prompt": "Where do you live?", "completion": "Write to <b>ann@example.org</b> to learn it."},
    ]
    file = tmp_path / "sums.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    dataset = store.import_file(served.studio, file).dataset
    visit(page, f"/dataset?id={dataset.id}")
    page.get_by_role("tab", name="Report", exact=True).click()
    summary = page.locator("#report-summary")
    expect(summary).to_contain_text("of 32 records are good", timeout=60_000)
    expect(summary.locator("#finding-exact_duplicate")).to_contain_text("1 record")
    expect(page.locator("#report-chart-tokens .main-svg").first).to_be_visible()
    expect(page.locator("#report-chart-tokens .annotation-text").first).to_be_attached()
    expect(page.locator("#report-rows")).to_contain_text("duplicate of 1")
    screenshot(page, "report")
    summary.locator("#finding-personal_data").get_by_role("link", name="Show records").click()
    expect(page.locator("#report-rows")).to_contain_text("<b>ann@example.org</b>")
    summary.locator("#finding-exact_duplicate").get_by_role("link", name="Filter out").click()
    expect(page.locator("#improve-filter")).to_be_visible()
    expect(page.locator("#improve-filter-findings")).to_contain_text("Exact duplicates (1)")
