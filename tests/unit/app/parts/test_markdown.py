"""Answers as Markdown: safe, with buttons of ours only, and cheap while they grow."""

from __future__ import annotations

import pytest

from app.parts import markdown
from app.parts.markdown import MOST_DOLLARS, below, growing, rendered, with_copying


def test_only_blocks_of_code_get_a_button() -> None:
    text = 'Say `<pre>`:\n\n```\n</pre><button data-copies="code" onclick="x()">\n```\n'
    drawn = with_copying(rendered(text), "Copy <code>", "Copied")
    assert drawn.count("<button") == drawn.count("<pre") == drawn.count("</pre>") == 1
    assert "Copy &lt;code&gt;" in drawn and "&lt;/pre&gt;&lt;button" in drawn


def test_too_many_dollars_are_no_formulas() -> None:
    assert "<math" in rendered("$x$ " * (MOST_DOLLARS // 2))
    assert "<math" not in rendered("$x$ " * MOST_DOLLARS)


def test_an_answer_that_grows_is_rendered_some_times_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is looked at, and by however many."""
    made: list[str] = []
    clock = [100.0]
    monkeypatch.setattr(markdown.time, "monotonic", lambda: clock[0])

    def render(text: str) -> markdown.Markup:
        made.append(text)
        clock[0] += 0.05  # What it costs.
        return markdown.Markup(text)

    monkeypatch.setattr(markdown.rendered, "__wrapped__", render)
    for look in range(200):
        growing(("a round", 0), "word " * look)
        clock[0] += 0.01
    seconds = clock[0] - 100
    assert len(made) <= seconds / (0.05 / markdown._SHARE) + 1
    assert growing(("a round", 1), "another") == "another"


def test_what_grows_is_not_kept_for_ever() -> None:
    for number in range(3 * markdown._GROWING):
        growing(("many", number), f"{number}")
    assert len(markdown._growing) == markdown._GROWING


def test_headings_begin_below_those_of_the_page() -> None:
    html_ = below(rendered("# A\n\n## B\n\n###### C\n\n`<h1>`"))
    assert "<h2>A</h2>" in html_ and "<h3>B</h3>" in html_ and "<h6>C</h6>" in html_
    assert "&lt;h1&gt;" in html_ and "<h1>" not in html_
