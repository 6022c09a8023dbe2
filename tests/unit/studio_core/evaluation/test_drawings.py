"""Drawings hold what they are drawn of, in words too, and nothing of a name becomes markup."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from studio_core.evaluation.canvas import Drawing, cut, palette, scale, spread
from studio_core.evaluation.charts import charts
from studio_core.evaluation.drawings import Cost, Value, frontier
from studio_core.evaluation.report import Report, report
from tests.unit.studio_core.evaluation.made_up import before_and_after, result, right

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def checkpoints() -> Report:
    models = {"base": 40, "step 100": 48, "step 200": 61}
    names = ["GSM8K", "<b>Facts</b>", "世界知识"]
    results = [
        result(model, f"suite{place}", right(n + 5 * place, of=100), title=name, tokens=float(n))
        for model, n in models.items()
        for place, name in enumerate(names)
    ]
    return report(results, {"base": 0, "step 100": 100, "step 200": 200})


def by_name(document: Report) -> dict[str, Drawing]:
    return {drawing.name: drawing for drawing in charts(document, "en")}


def test_a_report_has_the_drawings_that_its_figures_are_enough_for(checkpoints: Report) -> None:
    assert [*by_name(checkpoints)] == [
        "bars-share",
        "slopes-2",
        "lines",
        "pareto-tokens",
        "pareto-seconds",
        "radar",
    ]
    both = by_name(report(before_and_after()))
    assert [*both] == ["bars-share", "bars-bits", "slopes-1", "pareto-tokens", "pareto-seconds", "radar"]
    alone = report([result("a", "s", [1.0, 0.0])])
    assert [*by_name(alone)] == ["bars-share"]


def test_each_is_whole_and_says_in_words_what_it_shows(checkpoints: Report) -> None:
    drawn = [*by_name(checkpoints).values(), *by_name(report(before_and_after())).values()]
    for drawing in drawn:
        for standalone in (False, True):
            root = ElementTree.fromstring(drawing.svg(standalone))
            ids = [root.find(f"{SVG}{kind}").attrib["id"] for kind in ("title", "desc")]  # type: ignore[union-attr]
            assert root.attrib["role"] == "img" and root.attrib["aria-labelledby"].split() == ids
            assert (root.find(f"{SVG}style") is not None) == standalone
            assert not root.findall(f".//{SVG}b"), "a name became markup"
            assert not re.search(r'"[^"]*\bnan\b[^"]*"', drawing.svg())
    slopes = by_name(report(before_and_after()))["slopes-1"]
    assert "GSM8K: 20.5%, 29% better; IFEval: 60%, 60% no change; Facts: 92%, 78% worse" in slopes.description
    lines = by_name(checkpoints)["lines"]
    assert lines.description.startswith("GSM8K: 0: 40%, 100: 48%, 200: 61%; <b>Facts</b>: 0: 45%")


def test_a_name_that_no_xml_may_hold_is_drawn_all_the_same() -> None:
    (drawing,) = charts(report([result("a\x00\x1b<model>", "s", [1.0, 0.0])]), "en")
    root = ElementTree.fromstring(drawing.svg(standalone=True))
    assert "a\ufffd\ufffd<model>" in [text.text for text in root.iter(f"{SVG}text")]


def test_better_and_worse_differ_by_more_than_their_colour() -> None:
    body = by_name(report(before_and_after()))["slopes-1"].body
    dashes = dict(
        re.findall(r'stroke="var\(--ts-(\w+)\)" stroke-width="2.5"[^>]* stroke-dasharray="([^"]+)"', body)
    )
    assert len({*dashes.values()}) == len(dashes) == 3


def test_colours_are_those_of_the_pages_in_both_themes() -> None:
    css = palette()
    assert css.count("--ts-text:") == css.count("--ts-accent:") == 2
    for drawing in charts(report(before_and_after()), "en"):
        used = {*re.findall(r"var\((--ts-[\w-]+)\)", drawing.svg(standalone=True))}
        assert used and all(f"{token}:" in css for token in used)


def test_nothing_beats_a_model_of_the_frontier() -> None:
    names = {"cheap": (10, 0.4), "good": (30, 0.7), "dear": (40, 0.7), "worse": (20, 0.3), "best": (50, 0.9)}
    models = [Cost(name, cost, Value(mean)) for name, (cost, mean) in names.items()]
    assert [model.title for model in frontier(models)] == ["cheap", "good", "best"]


def test_names_are_cut_to_their_place() -> None:
    assert cut("short", 100) == "short"
    assert cut("a name that nobody would fit", 100) == "a name that…"
    assert cut("世界知识问答", 50) == "世界…"


def test_a_scale_has_three_to_six_round_marks_around_all_values() -> None:
    for low, high in ((0.0, 1.0), (0.205, 0.93), (1.09, 1.12), (3.0, 3.0), (0.0, 61_000.0), (-2.0, 5.0)):
        across = scale([low, high], 0, 100, str)
        assert across.low <= low and high <= across.high
        assert 3 <= len(across.marks) <= 7, (low, high)
        assert across(across.low) == 0 and across(across.high) == 100


def test_labels_keep_apart_in_the_middle_of_where_they_belong() -> None:
    assert spread([10, 50, 90], 16, 0, 100) == [10, 50, 90]
    assert spread([52, 48, 50], 10, 0, 100) == [60, 40, 50]
    assert spread([1, 2], 10, 0, 100) == [0, 10]
    assert spread([99, 98, 20], 10, 0, 100) == [100, 90, 20]
    assert spread([], 10, 0, 100) == []
