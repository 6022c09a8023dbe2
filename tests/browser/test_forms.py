"""Fields of every form: help in a line, inputs in a line, groups of one Tab stop, and colours that can be told."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from studio_core.tunings.measured import measured
from tests.browser.conftest import Served, choose, screenshot, visit
from tests.browser.furnished import SETTLED
from tests.unit.app.test_look import contrast

pytestmark = pytest.mark.browser

# The colours of an element and of what it stands on, as #rrggbb.
COLOURS = """(element, name) => {
	const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
	const plain = (colour) => {
		canvas.fillStyle = colour;
		canvas.fillRect(0, 0, 1, 1);
		const [red, green, blue] = canvas.getImageData(0, 0, 1, 1).data;
		return "#" + [red, green, blue].map((one) => one.toString(16).padStart(2, "0")).join("");
	};
	const style = getComputedStyle(element);
	const own = name.startsWith("--") ? style.getPropertyValue(name) : style[name];
	let under = name === "color" ? element : element.parentElement;
	while (/, 0\\)$|transparent/.test(getComputedStyle(under).backgroundColor)) under = under.parentElement;
	return [plain(own), plain(getComputedStyle(under).backgroundColor)];
}"""
# Of fields beside each other: how far apart their inputs begin, in pixels, by the first one's name.
UNEVEN = """() => [...document.querySelectorAll("#ts-content .row > .form")].flatMap((form) => {
	const lines = new Map();
	for (const block of form.children) {
		const title = block.querySelector("[data-testid=block-info]");
		const inputs = "label > [type=number], .input-container, .wrap:has([type=radio]), .container > .wrap";
		const input = block.querySelector(inputs);
		if (!title || !input || !input.getClientRects().length) continue;
		const top = Math.round(block.getBoundingClientRect().top);
		lines.set(top, [...(lines.get(top) ?? []), [title.textContent.trim(), input.getBoundingClientRect().top]]);
	}
	return [...lines.values()].flatMap((line) => {
		const tops = line.map(([, top]) => top);
		const apart = Math.max(...tops) - Math.min(...tops);
		return apart > 1 ? [`${line.map(([name]) => name).join(", ")}: ${apart}`] : [];
	});
})"""
FORMS = ("/train?method=dpo&model=tiny-chat&tuning=lora", "/settings", "/label", "/arena",
         "/dataset?id=identity-pairs&tab=improve&operation=filter", "/users", "/models")  # fmt: skip


def told_apart(page: Page, selector: str, name: str) -> float:
    one, other = page.locator(selector).first.evaluate(COLOURS, name)
    return contrast(one, other)


def unfold(page: Page) -> None:
    for fold in page.locator("#ts-content .label-wrap:not(.open)").all():
        if fold.is_visible():
            fold.click()


def test_help_is_one_line_and_a_button_shows_the_rest(page: Page) -> None:
    visit(page, "/train")
    page.evaluate(SETTLED)
    field = page.locator("#train-opt-learning_rate")
    help, button = field.locator(".info-text"), field.locator(".ts-more")
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(button).to_have_accessible_name("More about Learning rate")
    assert help.evaluate("one => one.clientHeight") == 20
    below = help.bounding_box(), field.locator("input").bounding_box()
    assert below[0] and below[1] and below[0]["y"] >= below[1]["y"] + below[1]["height"]
    field.locator("input").focus()
    page.keyboard.press("Shift+Tab")
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    assert help.evaluate("one => one.scrollHeight <= one.clientHeight && one.clientHeight >= 40")
    screenshot(page, "form-help")
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "false")
    button.click()  # By the mouse too: nothing lies over it.
    expect(button).to_have_attribute("aria-expanded", "true")
    # Who hears the page is told all of it, and the name of the field without it.
    name = page.locator("#train-name textarea, #train-name input")
    expect(name).to_have_accessible_name("Run name")
    expect(name).to_have_accessible_description("Also the model's name. Generated if empty.")


@pytest.mark.parametrize("width", [1280, 420])
@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_inputs_beside_each_other_begin_on_one_line(
    page: Page, context: BrowserContext, served: Served, language: str, width: int
) -> None:
    choose(context, served.url, language=language)
    page.set_viewport_size({"width": width, "height": 860})
    uneven = {}
    for address in FORMS:
        visit(page, address)
        page.locator("#ts-content h1").first.wait_for()
        page.evaluate(SETTLED)
        unfold(page)
        uneven[address] = page.evaluate(UNEVEN)
    assert {address: lines for address, lines in uneven.items() if lines} == {}


def test_radio_buttons_are_one_group(page: Page) -> None:
    visit(page, "/train")
    page.evaluate(SETTLED)
    group = page.locator("#train-preset")
    expect(group).to_have_role("radiogroup")
    expect(group).to_have_accessible_name("Preset")
    balanced = group.get_by_role("radio", name="Balanced")
    expect(balanced).to_be_checked()
    # What stands before it: the table that compares ways of tuning.
    page.locator("#train-compare summary").focus()
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement.matches('.ts-more')"):
        page.keyboard.press("Tab")
    expect(balanced).to_be_focused()
    page.keyboard.press("ArrowRight")
    thorough = group.get_by_role("radio", name="Thorough")
    expect(thorough).to_be_focused()
    expect(thorough).to_be_checked()
    expect(balanced).not_to_be_checked()
    ring = "one => getComputedStyle(one.closest('label')).outlineStyle"
    assert (thorough.evaluate(ring), balanced.evaluate(ring)) == ("solid", "none")
    # The form has followed, as after a click.
    expect(group.locator(".info-text")).not_to_contain_text("The usual choice")
    page.keyboard.press("Tab")
    assert not page.evaluate("document.activeElement.matches('#train-preset input')")


def test_what_is_folded_points_to_its_side_and_what_is_open_down(page: Page) -> None:
    visit(page, "/train")
    fold = page.locator("#train-more > .label-wrap, #train-more .label-wrap").first
    turned = "one => getComputedStyle(one.querySelector('.icon')).transform"
    expect(fold).to_have_attribute("aria-expanded", "false")
    assert fold.evaluate(turned) == "matrix(0, -1, 1, 0, 0, 0)"
    fold.click()
    expect(fold).to_have_attribute("aria-expanded", "true")
    assert fold.evaluate(turned) == "none"
    arrow = page.locator("#train-model .dropdown-arrow")
    assert arrow.evaluate("one => getComputedStyle(one).transform") == "none"
    page.locator("#train-model input").click()
    page.get_by_role("option").first.wait_for()
    assert arrow.evaluate("one => getComputedStyle(one).transform") == "matrix(-1, 0, 0, -1, 0, 0)"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_chosen_tab_can_be_read_and_a_sliders_track_seen(
    page: Page, context: BrowserContext, served: Served, theme: str
) -> None:
    choose(context, served.url, theme=theme)
    visit(page, "/data")
    tab = "#data-ways [role=tab][aria-selected=true]"
    expect(page.locator(tab).first).to_be_visible()
    assert told_apart(page, tab, "color") >= 4.5
    visit(page, "/chat")
    track = "#chat-temperature input[type=range]"
    expect(page.locator(track)).to_be_visible()
    assert told_apart(page, track, "--neutral-200") >= 3.0
    assert told_apart(page, track, "--slider-color") >= 3.0


def test_what_is_removed_and_reset_has_a_name(page: Page, context: BrowserContext, served: Served) -> None:
    choose(context, served.url, language="zh-CN")
    visit(page, "/chat?models=tiny-base,tiny-chat")
    models = page.locator("#chat-models")
    expect(models.get_by_role("button", name="移除 tiny-chat")).to_be_visible()
    models.get_by_role("button", name="移除 tiny-base").click()
    expect(models.get_by_role("button", name="移除 tiny-base")).to_have_count(0)
    expect(models.get_by_role("button", name="移除 tiny-chat")).to_be_visible()
    slider = page.locator("#chat-temperature")
    expect(slider.get_by_role("slider", name="温度", exact=True)).to_be_visible()
    expect(slider.get_by_role("spinbutton", name="温度", exact=True)).to_be_visible()
    expect(slider.get_by_role("button", name="恢复默认值")).to_be_visible()


@pytest.mark.parametrize(
    ("language", "theme", "width"), [("en", "light", 1280), ("zh-CN", "dark", 1280), ("en", "dark", 420)]
)
def test_ways_of_tuning_are_compared_where_one_is_chosen(
    page: Page, context: BrowserContext, served: Served, language: str, theme: str, width: int
) -> None:
    choose(context, served.url, language=language, theme=theme)
    page.set_viewport_size({"width": width, "height": 860})
    visit(page, "/train")
    page.evaluate(SETTLED)
    table = page.locator("#train-compare table")
    expect(table).to_be_hidden()
    page.locator("#train-compare summary").focus()
    page.keyboard.press("Enter")
    expect(table).to_be_visible()
    expect(table.locator("tbody tr")).to_have_count(len(measured().figures))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    screenshot(page, f"compare-{language}-{theme}-{width}")
