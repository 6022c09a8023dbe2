"""Answers side by side, as HTML."""

from __future__ import annotations

import pytest

from app.parts.side_by_side import Cell, cells, figures, marks, prompt_block

HOSTILE = '<script>alert("x")</script>{0}${1}'


def test_everything_from_outside_is_escaped() -> None:
    cell = Cell(text=HOSTILE, name=HOSTILE, state="error", note=HOSTILE, figures=HOSTILE)
    drawn = cells([cell], "en", ids="chat-side") + prompt_block(HOSTILE, HOSTILE, "en")
    assert "<script" not in drawn and drawn.count("&lt;script&gt;") == 7


def test_cells_are_addressed_and_hidden_names_stay_hidden() -> None:
    shown = [Cell("one", None, "streaming"), Cell("two", "tuned", "stop", mark="better")]
    drawn = str(cells(shown, "en", ids="side"))
    assert 'id="side-0"' in drawn and 'id="side-1"' in drawn and drawn.count("data-hidden") == 1
    assert "hidden until you vote" in drawn and 'data-mark="better"' in drawn
    assert drawn.count("ts-cursor") == 1
    assert " id=" not in str(cells(shown, "en"))


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [("a", ["worse", "", "better"]), ("b", ["better", "", "worse"]), ("tie", ["tie", "", "tie"]),
     ("both_bad", ["bad", "", "bad"])],
)  # fmt: skip
def test_marks_of_a_vote(verdict: str, expected: list[str]) -> None:
    assert marks(verdict, left=2, right=0, sides=3) == expected


def test_figures() -> None:
    assert figures(28, 0.3141, "en") == "28 tokens · 0.31 s · 89 tokens/s"
    assert figures(0, 0.0, "en") == ""
    assert figures(0, 1.5, "en") == "1.50 s"
    assert figures(3, 1.5, "zh-CN") == "3 个词元 · 1.50 秒 · 2.0 词元/秒"
