"""From the list of open models to one that is here, over a Hub on loopback: seen before it is fetched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from studio_core.models import registry
from studio_core.texts import text
from tests.browser.axe import told
from tests.browser.conftest import Served, serving, visit
from tests.conftest import wait_until
from tests.fake_hub import FakeHub, fake_hub
from tests.unit.studio_core.models.folders import model_folder

pytestmark = pytest.mark.browser

TINY, CLOSED = "Qwen/Qwen3-0.6B", "org/qwen-closed"


@pytest.fixture(scope="module")
def loopback(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHub]:
    folder: Path = model_folder(tmp_path_factory.mktemp("hub") / "model")
    with fake_hub() as hub:
        for name in (TINY, CLOSED):
            hub.models[name] = {file.name: file.read_bytes() for file in folder.iterdir()}
            hub.facts[name] = {"downloads": 1234, "tags": ["license:apache-2.0", "safetensors"]}
        hub.gated.add(CLOSED)
        hub.facts[CLOSED]["gated"] = "manual"
        yield hub


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, quick: dict[str, str], loopback: FakeHub
) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("studio")
    with serving(home / "home", **quick, HF_ENDPOINT=loopback.url, HF_HOME=str(home / "hf")) as made:
        wait_until(lambda: len(registry.all_models(made.studio)) >= 2, what="the demo models are there")
        yield made


def test_a_model_of_the_list_is_seen_and_then_fetched(page: Page, served: Served, loopback: FakeHub) -> None:
    visit(page, "/models?open=1")
    page.locator("#models-open select[name=purpose]").select_option("tiny")
    page.get_by_role("button", name=text("catalogue.show")).click()
    page.wait_for_url("**/models?open=1&purpose=tiny&fits=")
    expect(page.locator("#models-open")).not_to_contain_text("Llama-3.1-8B")
    assert not told(page)
    assert loopback.asked == [], "opening the page asks the Hub nothing"
    page.locator(f"#models-open [data-pick='{TINY}']").click()
    expect(page.locator("#model-checked .ts-notice-good")).to_be_visible()
    assert not any("model.safetensors" in asked for asked in loopback.asked)
    page.get_by_role("button", name="Download and add").click()
    expect(page.locator("#model-added")).to_contain_text("Added Qwen3-0.6B")
    expect(page.locator("#models-open a[href='/train?model=Qwen3-0.6B']")).to_be_visible()
    assert registry.get(served.studio, "Qwen3-0.6B").source == TINY


def test_a_search_leads_to_what_is_in_the_way(page: Page, served: Served) -> None:
    visit(page, "/models")
    page.locator("#models-add > .label-wrap, #models-add .label-wrap").first.click()
    page.locator("#model-find textarea, #model-find input").fill("qwen")
    page.locator("#model-find-now").click()
    page.locator(f"#model-hits [data-pick='{CLOSED}']").click()
    expect(page.locator("#model-checked")).to_contain_text("is gated")
    assert not told(page)
    # Fetched by force it is refused all the same.
    page.locator("#model-add").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("is gated")
    assert not [model for model in registry.all_models(served.studio) if model.source == CLOSED]
