"""Things found, marked, deleted and brought back in a browser: a run among 10,000, and a model with its page."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from studio_core.base.errors import NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import Chat, Model
from studio_core.chat import chats
from studio_core.keeping import marks
from studio_core.keeping.models import MODELS
from studio_core.keeping.runs import RUNS
from studio_core.models import registry
from studio_core.runs import queue, run_folder
from tests.bench import seeded
from tests.browser.conftest import Served, choose, screenshot, visit
from tests.conftest import wait_until

pytestmark = pytest.mark.browser

RUNS_THERE = 10_000
EVIL = "<img src=x onerror=alert(1)>"


def furnish(studio: Studio) -> None:
    """Ten thousand runs, one of which made a model with files of its own; all in the past."""
    seeded.fill(studio, jobs=RUNS_THERE, waiting=4, long_runs=1, rows=20)
    run, base = 4321, registry.get(studio, "tiny-base")
    folder = studio.settings.runs / str(run) / "model"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"x" * 100_000)
    for step in (20, 40):
        kept = folder.parent / run_folder.CHECKPOINTS / f"checkpoint-{step}"
        shutil.copytree(base.path, kept)
        run_folder.write_manifest(kept, step)
    with studio.db.write() as session:
        session.add(Model(name="poet", kind="full", path=str(folder), parent_id=base.id, job_id=run))


@pytest.fixture(scope="module")
def furnished(served: Served) -> Served:
    furnish(served.studio)
    return served


def test_a_run_is_found_among_ten_thousand_marked_and_shared(page: Page, furnished: Served) -> None:
    visit(page, "/runs")
    expect(page.locator("#runs-list .ts-pager")).to_contain_text(f"1 to 50 of {RUNS_THERE:,}")
    page.locator("#runs-find input[type=search]").fill("run 4321")
    page.locator("#runs-find button.ts-button").click()
    page.wait_for_url(re.compile(r"/runs\?q=run\+4321$"))
    rows = page.locator("#runs-list tbody tr")
    expect(rows).to_have_count(1)
    rows.locator("input[data-select]").check()
    # The list is drawn anew every two seconds; what was selected stays so.
    page.wait_for_timeout(3000)
    expect(rows.locator("input[data-select]")).to_be_checked()
    page.locator("#runs-keep [data-keep-value]").fill("论文")
    page.locator("#runs-keep [data-keep=tag]").click()
    expect(rows.locator(".ts-tag")).to_have_text("论文")
    rows.locator(".ts-tag").click()
    page.wait_for_url(re.compile(r"q=tag"))
    expect(page.locator("#runs-list tbody tr")).to_have_count(1)
    assert marks.of(furnished.studio, RUNS, [4321])[4321].tags == ["论文"]


def test_what_is_deleted_says_what_hangs_on_it_and_comes_back(page: Page, furnished: Served) -> None:
    studio = furnished.studio
    visit(page, "/runs?q=run+4321")
    rows = page.locator("#runs-list tbody tr")
    rows.locator("input[data-select]").check()
    page.locator("#runs-keep .ts-keep-bar [data-keep=delete]").click()
    expect(page.locator("#runs-keep .ts-notice")).to_contain_text("Its model is deleted with it: poet")
    page.locator("#runs-keep [data-keep=delete_now]").click()
    expect(rows).to_have_count(0)
    assert not (studio.settings.runs / "4321").exists()
    with pytest.raises(NotFound):
        registry.get(studio, "poet")
    page.locator("#runs-keep [data-keep=undo]").click()
    expect(rows).to_have_count(1)
    assert Path(registry.get(studio, "poet").path, "model.safetensors").is_file()
    assert queue.get(studio, 4321).name == "run 4321"


def test_a_model_has_a_page_whose_card_is_written_and_whose_family_is_clicked(
    page: Page, furnished: Served
) -> None:
    visit(page, "/models?model=poet")
    card = page.locator(".ts-model-card")
    expect(card).to_contain_text("Not stated")
    card.locator("summary").click()
    card.locator("textarea").fill(f"# Ode\n\n{EVIL} **bold**")
    card.locator("[data-keep=card]").click()
    expect(card.locator("h2")).to_have_text("Ode")
    expect(card.locator("strong")).to_have_text("bold")
    assert card.locator("img").count() == 0
    page.locator("#model-keep .ts-star").click()
    expect(page.locator("#model-keep .ts-star")).to_have_attribute("aria-pressed", "true")
    mark = wait_until(lambda: marks.of(furnished.studio, MODELS, [registry.get(furnished.studio, "poet").id]))
    assert next(iter(mark.values())).starred
    page.set_viewport_size({"width": 700, "height": 800})
    page.reload()
    # What was made of it is further to the right than the page is wide; it is in sight itself.
    expect(page.locator(".ts-graph [aria-current]")).to_be_in_viewport(ratio=1)
    expect(page.locator(".ts-graph a", has_text="Run ")).not_to_have_count(0)
    page.locator(".ts-graph a", has_text="tiny-base").click()
    page.wait_for_url(re.compile(r"model=tiny-base"))
    expect(page.locator("#model-head h1")).to_contain_text("tiny-base")


def test_a_checkpoint_is_chosen_where_models_are_and_an_archived_model_is_not(
    page: Page, furnished: Served
) -> None:
    visit(page, "/models?model=poet")
    ways = page.locator("#model-checkpoints tbody tr", has_text="poet@20")
    ways.get_by_role("link", name="Compare").click()
    page.wait_for_url(re.compile(r"/chat\?models=poet@20,poet"))
    expect(page.locator("#chat-models")).to_contain_text("poet@20")
    visit(page, "/export?model=poet@40")
    expect(page.locator("#export-model input")).to_have_value("poet@40")
    poet = registry.get(furnished.studio, "poet")
    marks.change(furnished.studio, MODELS, [poet.id], archived=True)
    visit(page, "/export")
    page.locator("#export-model").get_by_role("combobox").click()
    expect(page.get_by_role("option", name="tiny-chat", exact=True)).to_be_visible()
    expect(page.get_by_role("option", name="poet")).to_have_count(0)
    visit(page, "/export?model=poet")
    expect(page.locator("#export-model input")).to_have_value("poet (archived)")
    marks.change(furnished.studio, MODELS, [poet.id], archived=False)


def test_a_conversation_is_renamed_where_it_is_open_and_archived_in_the_list(
    page: Page, furnished: Served
) -> None:
    studio = furnished.studio
    chat = chats.start(studio, ["tiny-base"], chats.ChatSettings())
    with studio.db.write() as session:
        session.get_one(Chat, chat.id).title = EVIL
    visit(page, f"/chat?chat={chat.id}")
    card = page.locator("#chat-card")
    card.locator("summary").click()
    card.locator("[name=name]").fill("ode")
    card.locator("[name=tags]").fill("poems")
    card.locator("[data-keep=save]").click()
    expect(page.locator("#chat-earlier .ts-earlier")).to_contain_text("ode")
    visit(page, "/chats?q=tag:poems&columns=models,note")
    rows = page.locator("#chats-list tbody tr")
    expect(rows).to_have_count(1)
    expect(page.locator("#chats-list th")).to_have_text(["Conversation", "Models", "Note"])
    rows.locator("input[data-select]").check()
    page.locator("#chats-keep [data-keep=archive]").click()
    expect(rows).to_have_count(0)
    visit(page, "/chat")
    expect(page.locator("#chat-all a")).to_be_visible()
    expect(page.locator("#chat-earlier")).not_to_contain_text("ode")


@pytest.mark.parametrize(("language", "theme", "width"), [("en", "light", 1280), ("zh-CN", "dark", 400)])
def test_they_fit_every_look(
    page: Page, context: BrowserContext, furnished: Served, language: str, theme: str, width: int
) -> None:
    choose(context, furnished.url, language=language, theme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    for name, path in {
        "runs": "/runs?q=run+43",
        "model": "/models?model=poet",
        "storage": "/storage",
    }.items():
        visit(page, path)
        expect(page.locator("main .ts-table, .ts-graph").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        screenshot(page, f"keeping-{name}-{language}-{theme}")
