"""A report as files: all of its figures, nothing from outside, and no name that becomes markup or a formula."""

from __future__ import annotations

import csv
import io
import re

import numpy as np
import pytest

from studio_core.evaluation.files import cells_csv, files, items_csv
from studio_core.evaluation.page import page
from studio_core.evaluation.report import Report, Result, report
from tests.unit.studio_core.evaluation.made_up import before_and_after, result

EVIL = '=1+1<script>alert("x")</script>'


@pytest.fixture(scope="module")
def document() -> Report:
    return report(before_and_after())


def table(text: str) -> list[dict[str, str]]:
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:])))


def test_the_table_has_a_line_for_each_model_and_suite(document: Report) -> None:
    lines = table(cells_csv(document))
    assert len(lines) == 10
    first, second = lines[:2]
    assert (first["model"], first["suite"], first["mean"], first["direction"]) == (
        "tiny-chat",
        "gsm8k",
        "0.205",
        "",
    )
    assert (second["model"], second["direction"], second["change_n"]) == ("tiny-chat-math", "better", "200")
    assert (second["won"], second["lost"], second["test"]) == ("17", "0", "mcnemar")


def test_items_have_a_line_each_and_nothing_for_what_is_not_known() -> None:
    lines = table(items_csv([Result("a", "s", ["q1", "=q2"], np.array([1.0, np.nan]), clusters=["t", "t"])]))
    assert [line["value"] for line in lines] == ["1.0", ""]
    assert [line["item"] for line in lines] == ["q1", "'=q2"]
    assert lines[0]["cluster"] == "t" and lines[0]["tokens"] == ""


def test_all_files_have_their_names(document: Report) -> None:
    written = files(document, "en", before_and_after())
    assert [*written][:4] == ["report.html", "report.json", "report.csv", "items.csv"]
    assert "slopes-1.svg" in written and written["slopes-1.svg"].startswith("<svg ")
    assert Report.model_validate_json(written["report.json"]) == document
    assert "items.csv" not in files(document, "en")


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_page_needs_nothing_else(document: Report, language: str) -> None:
    html = page(document, language)
    namespaces = html.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|//[a-z]|<script|<link|@import|url\(", namespaces)
    assert html.startswith(f'<!doctype html><html lang="{language}">')
    assert 'content="default-src &#39;none&#39;;' in html
    assert html.count("<figure>") == 6 and html.count("prefers-color-scheme:dark") == 1
    # Tables come before drawings, and the verdict before both.
    assert html.index('class="verdicts"') < html.index("<table>") < html.index("<figure>")


def test_the_page_says_worse_in_words_and_what_else_answers_tell(document: Report) -> None:
    html = page(document, "en")
    assert "▼ worse" in html and "▲ better" in html and "= no change" in html
    assert "? too few items to tell" in html and "about 200 more items needed" in html
    shown = re.sub(r"</?span[^>]*>", "", html)
    assert "200 items · 10% truncated · 20% unreadable · 60 tokens per answer · 120 tokens/s" in shown
    assert "corrected for 5 comparisons (Holm)" in html
    assert "15.5% to 26.6%" in html and "+8.5 points" in html


def test_items_that_are_not_shared_are_told() -> None:
    before, after = result("a", "s", [1.0, 0.0, 1.0]), result("b", "s", [1.0, 0.0])
    html = page(report([before, after]), "en")
    assert "1 item left out: not answered by both" in html


def test_no_name_becomes_markup_or_a_formula() -> None:
    rows = [result(model, "s", [1.0, 0.0, 1.0], title=EVIL) for model in ("base", EVIL)]
    evil = report(rows)
    written = files(evil, "en", rows)
    for name, text in written.items():
        if name.endswith((".html", ".svg")):
            assert "<script" not in text and "&lt;script" in text, name
    assert table(written["report.csv"])[1]["model"] == f"'{EVIL}"
