"""Charts in a real browser: their own buttons and nothing of Plotly's, one pointer for all, numbers one can read."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.files import asset
from tests.browser.conftest import Served, come_to_charts, screenshot, visit
from tests.browser.opening import furnish

pytestmark = pytest.mark.browser

PLOT = "document.querySelector('#run-chart-{} .js-plotly-plot')"


@pytest.fixture(scope="module")
def addresses(served: Served) -> dict[str, str]:
    return furnish(served.studio)


@pytest.fixture
def run(page: Page, addresses: dict[str, str]) -> Page:
    """A run's page whose charts somebody has come to with the pointer."""
    visit(page, addresses["A run"])
    page.locator("#run-chart-loss .ts-sketch").wait_for()
    come_to_charts(page)
    page.wait_for_function(f"{PLOT.format('grad_norm')}?.data[0].x.length > 100")
    return page


def test_charts_are_sketched_until_somebody_comes_to_them(page: Page, addresses: dict[str, str]) -> None:
    scripts: list[str] = []
    page.on("request", lambda request: scripts.append(request.url))
    visit(page, addresses["A run"])
    drawn = page.locator("#run-charts .ts-sketch path")
    expect(drawn).to_have_count(5)  # Of six charts; no values came for the entropy.
    expect(
        page.locator("#run-chart-learning_rate .ts-sketch").get_by_text("0.001", exact=True)
    ).to_be_visible()
    page.locator("#run-chart-loss [data-tool=log]").evaluate("one => one.scrollIntoView()")
    assert not any("plotly" in script for script in scripts)
    page.locator("#run-chart-loss [data-tool=csv]").focus()  # By the keyboard, too.
    expect(page.locator("#run-chart-loss .main-svg").first).to_be_visible()
    expect(page.locator("#run-chart-loss .ts-sketch")).to_have_count(0)


# What a sketch has drawn: names of the levels, lines (a gap begins anew with M), points, and what cannot be drawn.
SKETCH = """async ([script, traces, layout]) => {
    const { sketch } = await import(script);
    const plot = document.body.appendChild(document.createElement("div"));
    const line = { color: "#123456", width: 2, dash: "solid" };
    const drawn = traces.map((trace) => ({ mode: "lines", name: "loss", line, ...trace }));
    sketch(plot, drawn, { height: 230, showlegend: false, yaxis: { type: "linear" }, ...layout });
    const all = (what) => [...plot.querySelectorAll(what)];
    const answer = {
        levels: all("text[text-anchor=end]").map((one) => one.textContent),
        lines: all("path").map((one) => one.getAttribute("d")),
        points: all("circle").length,
        // The names of the legend: where each ends, and on which line it stands.
        legend: all("text:not([text-anchor])").map((one) => [one.getBBox().x + one.getBBox().width, one.getBBox().y]),
        wide: plot.clientWidth,
        broken: /NaN|Infinity|undefined/.test(plot.innerHTML),
    };
    plot.remove();
    return answer;
}"""


@pytest.mark.parametrize(
    ("x", "y", "kind", "levels"),
    [
        ([1, 2, 3], [1, 2, 3], "linear", ["1", "1.5", "2", "2.5", "3"]),
        ([1, 2, 3], [5, 5, 5], "linear", ["4.6", "4.8", "5", "5.2", "5.4"]),  # A level line has a height.
        ([1, 2, 3], [0, 0, 0], "linear", ["-1", "-0.5", "0", "0.5", "1"]),
        ([1, 2, 3], [-1500, 0, 1500], "linear", ["-1k", "0", "1k"]),
        ([1, 2], [0.000998, 0.001], "linear", ["0.000998", "0.0009985", "0.000999", "0.0009995", "0.001"]),
        ([1, 2, 3], [1e-6, 1e-5, 1e-3], "log", ["0.000001", "0.00001", "0.0001", "0.001"]),
        ([7], [2.5], "linear", None),  # One step only.
        ([1, 2], [None, None], "linear", None),  # Steps without a value as yet.
        ([1, 2, 3], [0, 1, 10], "log", None),  # No logarithm of the first.
        ([], [], "linear", None),
    ],
)
def test_a_sketch_of_any_line_can_be_read(
    page: Page, x: list[int], y: list[float | None], kind: str, levels: list[str] | None
) -> None:
    page.goto("/health")
    drawn = page.evaluate(SKETCH, [asset("js/sketch.js"), [{"x": x, "y": y}], {"yaxis": {"type": kind}}])
    assert not drawn["broken"]
    assert levels is None or drawn["levels"] == levels


def test_a_sketch_leaves_gaps_and_marks_points(page: Page) -> None:
    page.goto("/health")
    trace = {"x": [1, 2, 3, 4, 5], "y": [1, None, 2, 3, 4], "mode": "lines+markers"}
    hidden = {**trace, "visible": False}
    drawn = page.evaluate(SKETCH, [asset("js/sketch.js"), [trace, hidden], {}])
    [line] = drawn["lines"]
    assert (line.count("M"), line.count("L"), drawn["points"]) == (2, 2, 4)


@pytest.mark.parametrize("width", [260, 1280])
def test_the_legend_of_a_sketch_stays_inside_in_as_many_rows_as_it_takes(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 400})
    page.goto("/health")
    names = ["loss", "held-out loss", "验证集损失", "moving average"]
    traces = [{"x": [1, 2], "y": [1, 2], "name": name} for name in names]
    drawn = page.evaluate(SKETCH, [asset("js/sketch.js"), traces, {"showlegend": True}])
    assert len(drawn["legend"]) == 4 and all(end <= drawn["wide"] for end, _ in drawn["legend"])
    assert (len({y for _, y in drawn["legend"]}) > 1) == (width == 260)


def test_a_picture_is_saved_of_a_sketch(page: Page, addresses: dict[str, str]) -> None:
    visit(page, addresses["A run"])
    page.locator("#run-chart-loss .ts-sketch").wait_for()
    with page.expect_download() as started:
        page.evaluate(
            "document.querySelector('#run-chart-loss [data-tool=png]').click()"
        )  # No pointer came before.
    assert started.value.suggested_filename == "run-chart-loss.png"


def test_a_chart_is_drawn_when_it_is_scrolled_to(page: Page, addresses: dict[str, str]) -> None:
    page.set_viewport_size({"width": 1280, "height": 400})
    visit(page, addresses["A run"])
    come_to_charts(page)
    page.wait_for_function(f"{PLOT.format('loss')}?.data[0].x.length > 100")
    chart = page.locator("#run-chart-speed")
    expect(chart.locator(".ts-sketch")).to_be_attached()
    expect(chart.locator(".main-svg")).to_have_count(0)
    chart.scroll_into_view_if_needed()
    page.wait_for_function(f"{PLOT.format('speed')}?.data[0].x.length > 100")


def test_no_chart_offers_what_is_not_ours(run: Page) -> None:
    expect(run.locator(".modebar")).to_have_count(0)
    context = run.evaluate(f"{PLOT.format('loss')}._context")
    assert context["plotlyServerURL"] == ""
    assert not context["showSendToCloud"] and not context["displayModeBar"]


def test_values_and_picture_are_saved(run: Page, tmp_path: Path) -> None:
    card = run.locator("#run-chart-loss")
    with run.expect_download() as table:
        card.get_by_role("button", name="Download the values as CSV").click()
    rows = list(csv.reader(io.StringIO(Path(table.value.path()).read_text("utf-8-sig"))))
    assert rows[0] == ["step", "loss", "eval_loss"]
    assert len(rows) > 100 and float(rows[1][1]) > 0 and rows[1][2] == ""
    with run.expect_download() as picture:
        card.get_by_role("button", name="Download the chart as PNG").click()
    assert Path(picture.value.path()).read_bytes()[:4] == b"\x89PNG"
    assert (table.value.suggested_filename, picture.value.suggested_filename) == (
        "run-chart-loss.csv",
        "run-chart-loss.png",
    )


def test_a_chart_is_enlarged_and_comes_back_by_the_keyboard(run: Page) -> None:
    button = run.locator("#run-chart-loss [data-tool=enlarge]")
    small = run.locator("#run-chart-loss .main-svg").first.bounding_box()
    button.press("Enter")
    dialog = run.locator("dialog[open]")
    expect(dialog.locator("#run-chart-loss")).to_be_visible()
    assert small
    drawn = f"{PLOT.format('loss')}.querySelector('.main-svg').getBoundingClientRect()"
    run.wait_for_function(f"{drawn}.height > 500 && {drawn}.width > {1.5 * small['width']}")
    # All of it is inside, not cut off.
    run.wait_for_function(
        f"{drawn}.bottom <= document.querySelector('dialog[open]').getBoundingClientRect().bottom"
    )
    screenshot(run, "chart-enlarged")
    run.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(run.locator("#run-charts #run-chart-loss")).to_be_visible()
    expect(button).to_be_focused()


def test_a_logarithmic_axis_where_all_is_above_nothing(run: Page) -> None:
    button = run.locator("#run-chart-learning_rate [data-tool=log]")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    assert run.evaluate(f"{PLOT.format('learning_rate')}.layout.yaxis.type") == "log"
    button.click()
    assert run.evaluate(f"{PLOT.format('learning_rate')}.layout.yaxis.type") == "linear"


def test_small_numbers_have_their_digits(run: Page) -> None:
    """The rate falls from 0.001 to 0.000998: three digits would name all lines of the axis alike."""
    ticks = run.locator("#run-chart-learning_rate .ytick text").all_text_contents()
    assert len(ticks) >= 3 and len(set(ticks)) == len(ticks)


def test_the_pointer_is_at_the_same_step_in_all_charts(run: Page) -> None:
    box = run.locator("#run-chart-loss .nsewdrag").first.bounding_box()
    assert box
    run.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    other = run.locator("#run-chart-token_accuracy .hoverlayer .legend .legendtitletext")
    expect(other).to_be_visible()
    # Long lines are thinned, each for itself, so that the nearest point of another may be a step or two away.
    here = run.locator("#run-chart-loss .hoverlayer .legendtitletext").text_content()
    assert abs(int(here or 0) - int(other.text_content() or 0)) <= 4
    screenshot(run, "charts-pointer")
    run.mouse.move(5, 5)
    expect(other).to_have_count(0)


def test_smoothing_says_how_much_and_leaves_what_was_measured(run: Page) -> None:
    expect(run.locator(".ts-smoothing output")).to_have_text("0.00")
    run.locator(".ts-smoothing input[type=range]").fill("0.9")
    expect(run.locator(".ts-smoothing output")).to_have_text("0.90")
    traces = run.evaluate(
        f"{PLOT.format('loss')}.data.map((t) => [t.name, t.opacity ?? 1, t.visible ?? true])"
    )
    assert traces[:2] == [["loss", 0.3, True], ["loss · smoothed", 1, True]]
    screenshot(run, "charts-smoothed")


def test_no_page_offers_or_makes_a_request_to_another_host(
    page: Page, served: Served, addresses: dict[str, str]
) -> None:
    """Requests are watched by the page's own fixture; here is what a reader could click or load."""
    for name, address in addresses.items():
        visit(page, address)
        expect(page.locator("#ts-content h1").first).to_be_visible()
        offered = page.evaluate(
            """() => [...document.querySelectorAll("a[href], form[action], [src], link[href], use[href], object[data]")]
                .map((one) => one.href?.baseVal ?? one.href ?? one.action ?? one.src ?? one.data)
                .map((address) => new URL(address, location.href))
                .filter((url) => /^(https?|wss?|ftp):$/.test(url.protocol) && url.host !== location.host)
                .map(String)"""
        )
        assert offered == [], f"{name} leads to {offered}"
