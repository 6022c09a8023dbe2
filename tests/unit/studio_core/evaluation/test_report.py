"""A report's figures from values of items, and the sentence that it comes to."""

from __future__ import annotations

import numpy as np
import pytest

from studio_core.evaluation.page import page
from studio_core.evaluation.report import Reached, Report, Result, report
from studio_core.evaluation.sentences import difference, figure, p_value, verdict
from studio_core.statistics.winrate import wilson
from tests.unit.studio_core.evaluation.made_up import before_and_after, result, right


@pytest.fixture(scope="module")
def document() -> Report:
    return report(before_and_after())


def test_a_cell_has_its_interval_and_what_else_tells_of_answers(document: Report) -> None:
    cell = document.cell("tiny-chat", "gsm8k")
    assert cell is not None
    assert (cell.n, cell.missing, cell.mean, cell.interval) == (200, 0, 0.205, "wilson")
    assert (cell.low, cell.high) == wilson(0.205, 200)
    assert (cell.truncated, cell.unreadable) == (0.1, 0.2)
    assert (cell.tokens, cell.seconds, cell.tokens_per_second) == (40.0, 0.5, 80.0)


def test_models_and_suites_keep_their_order(document: Report) -> None:
    assert document.models == ["tiny-chat", "tiny-chat-math"] and document.baseline == "tiny-chat"
    assert [suite.name for suite in document.suites] == ["gsm8k", "ifeval", "facts", "sums", "news"]
    assert len(document.cells) == 10


def test_each_model_is_compared_with_the_first(document: Report) -> None:
    directions = {change.suite: change.direction for change in document.changes_of("tiny-chat-math")}
    expected = {"gsm8k": "better", "ifeval": "same", "facts": "worse", "sums": "unknown", "news": "worse"}
    assert directions == expected
    assert document.changes_of("tiny-chat") == []
    # Only the one that cannot be told wants more items.
    assert [change.suite for change in document.changes if change.more_needed] == ["sums"]


def test_p_values_are_corrected_over_the_whole_report() -> None:
    rows = [(f"suite{n}", right(40, of=100), right(47, of=100)) for n in range(8)]
    alone, together = (
        report(
            [
                result(model, row[0], row[1 + which])
                for which, model in enumerate("ab")
                for row in rows[:count]
            ]
        )
        for count in (1, 8)
    )
    assert [change.direction for change in alone.changes] == ["better"]
    assert {change.direction for change in together.changes} == {"unknown"}
    assert together.changes[0].p == alone.changes[0].p == pytest.approx(0.015625)
    assert together.changes[0].p_adjusted == pytest.approx(8 * 0.015625)


def test_only_items_that_both_have_are_compared_and_the_others_are_counted() -> None:
    before = Result("a", "s", ["q1", "q2", "q3", "q4"], np.array([1.0, 0.0, np.nan, 1.0]))
    after = Result("b", "s", ["q4", "q3", "q2", "q5"], np.array([0.0, 1.0, 1.0, 1.0]))
    document = report([before, after])
    (change,) = document.changes
    assert (change.n, change.left_out, change.won, change.lost) == (2, 3, 1, 1)
    assert (change.before, change.after) == (0.5, 0.5)
    cell = document.cell("a", "s")
    assert cell is not None and (cell.n, cell.missing) == (3, 1)


def test_what_nothing_is_known_of_is_none() -> None:
    empty = Result("a", "s", ["q1", "q2"], np.array([np.nan, np.nan]))
    document = report([empty, Result("b", "s", ["q3"], np.ones(1))])
    assert document.cells[0].mean is document.cells[0].low is document.cells[0].tokens is None
    (change,) = document.changes
    assert change.before is change.low is None and change.direction == "unknown" and change.left_out == 3
    assert verdict(document, "b", "en") == "s no item scored for both (too few items to tell)"
    # A stored report is read again as it is.
    assert Report.model_validate_json(document.model_dump_json()) == document


def test_clusters_reach_both_statistics() -> None:
    clusters = [f"text{n // 10}" for n in range(100)]
    results = [
        result(model, "s", values, clusters=clusters)
        for model, values in (("a", right(40, of=100)), ("b", right(50, of=100)))
    ]
    document = report(results)
    assert {cell.interval for cell in document.cells} == {"bootstrap"}
    assert document.changes[0].test == "sign_flip"
    # Ten items, all of one text: by McNemar p would be 0.002.
    assert document.changes[0].direction == "unknown"


def test_the_macro_mean_is_that_of_suites(document: Report) -> None:
    first, second = document.macros
    assert first.suites == 4, "bits are no share"
    assert first.mean == pytest.approx((0.205 + 0.6 + 0.92 + 5 / 12) / 4)
    assert first.low is not None and first.high is not None and first.low < first.mean < first.high
    widest = document.cell("tiny-chat", "sums")
    assert widest and widest.high and widest.low and first.high - first.low < (widest.high - widest.low) / 2
    lacking = report([r for r in before_and_after() if (r.model, r.suite) != ("tiny-chat-math", "sums")])
    assert [macro.model for macro in lacking.macros] == ["tiny-chat"], second.model


def test_the_verdict_is_one_sentence(document: Report) -> None:
    assert verdict(document, "tiny-chat-math", "en") == (
        "GSM8K 41 to 58 of 200 (better, p < 0.001); IFEval no change; Facts 92 to 78 of 100 (worse, p < 0.001); "
        "Sums 5 to 6 of 12 (too few items to tell; about 200 more needed); "
        "News 1.096 to 1.116 (worse, p < 0.001)"
    )
    assert verdict(document, "tiny-chat-math", "zh-CN").startswith(
        "GSM8K：200 题中由 41 题到 58 题（提升，p < 0.001）；IFEval：无变化；"
    )
    assert verdict(document, "tiny-chat", "en").startswith("GSM8K 20.5% (95% interval 15.5% to 26.6%); ")
    assert verdict(document, "other", "en") == "other has no results in this report"


def test_figures_are_written_as_they_are_read() -> None:
    assert [figure(value, "share") for value in (0.5, 0.4125, 1.0, None)] == ["50%", "41.2%", "100%", "–"]
    assert (figure(1.23456, "bits"), figure(7.5, "score")) == ("1.235", "7.50")
    assert (difference(-0.07, "share"), difference(0.0123, "bits")) == ("−7.0", "+0.012")
    assert [p_value(p) for p in (0.0487, 0.03, 0.0004, 1.0)] == ["= 0.049", "= 0.03", "< 0.001", "= 1"]


def test_results_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="not one value for each of 2 items"):
        Result("a", "s", ["q1", "q2"], np.ones(3))
    with pytest.raises(ValueError, match="twice"):
        Result("a", "s", ["q1", "q1"], np.ones(2))
    with pytest.raises(ValueError, match="two results"):
        report([result("a", "s", [1.0]), result("a", "s", [1.0])])
    with pytest.raises(ValueError, match="no result"):
        report([])


def judged(model: str, values: list[float], reached: Reached) -> Result:
    return Result(model, "alpaca_eval", [*map(str, range(len(values)))], np.array(values), reached=reached)


def test_a_judged_suite_is_told_by_its_protocols_figure() -> None:
    """Of items that are mostly won, where at equal length the model is the worse one."""
    baseline = judged("a", [0.5] * 50, Reached(0.5, 0.5, 0.5, by_definition=True))
    candidate = judged("b", [1.0] * 30 + [0.0] * 20, Reached(0.3, 0.2, 0.42, level=0.9))
    told = report(
        [baseline, candidate, result("a", "facts", right(9, of=10)), result("b", "facts", right(9, of=10))]
    )
    cell, change = told.cell("b", "alpaca_eval"), told.change("b", "alpaca_eval")
    assert cell is not None and change is not None
    assert (cell.mean, cell.low, cell.high, cell.level, cell.interval) == (0.3, 0.2, 0.42, 0.9, "protocol")
    assert (change.before, change.after, change.direction, change.test) == (0.5, 0.3, "worse", "protocol")
    assert (change.low, change.high) == (pytest.approx(-0.3), pytest.approx(-0.08))
    assert (change.won, change.lost) == (30, 20)
    assert "30%" in verdict(told, "b", "en") and "90% interval" in str(page(told, "en"))
    # The only suite of right answers is no mean of several.
    assert told.macros == []


def test_a_drift_says_how_far_and_is_neither_better_nor_worse() -> None:
    distances = np.full(30, 0.4) + np.linspace(-0.1, 0.1, 30)
    moved = {"unit": "nats", "higher_is_better": False, "title": "Drift"}
    document = report(
        [
            result("base", "drift", [0.0] * 30, tokens=11, **moved),  # type: ignore[arg-type]
            result("base", "sums", right(40, of=100), title="Sums"),
            result("tuned", "drift", distances, tokens=25, **moved),  # type: ignore[arg-type]
            result("tuned", "sums", right(47, of=100), title="Sums"),
        ]
    )
    [drift] = [change for change in document.changes if change.suite == "drift"]
    [sums] = [change for change in document.changes if change.suite == "sums"]
    assert (drift.direction, drift.more_needed) == ("apart", None)
    assert sums.p_adjusted == sums.p, "nothing is claimed of a distance, so nothing is corrected for it"
    told = verdict(document, "tuned", "en")
    assert told.startswith("Drift 0.400 (95% interval 0.3")
    assert "nats per token, answers 11 to 25 tokens long; Sums 40 to 47 of 100 (better" in told
    shown = page(document, "en")
    assert "distance" in shown and "lower is better" not in shown
    assert "漂移" in page(document, "zh-CN")
