"""All charts are drawn in one place, and so have one configuration."""

from __future__ import annotations

import re

from app.parts import charts
from studio_core import texts
from studio_core.base.settings import bundled_folder


def test_only_one_script_draws_with_plotly() -> None:
    drawing = re.compile(r"Plotly\.(react|newPlot|plot)\(")
    scripts = (bundled_folder() / "js").glob("*.js")
    assert [file.name for file in scripts if drawing.search(file.read_text(encoding="utf-8"))] == [
        "charts.js"
    ]


def test_every_button_has_its_words_in_each_language() -> None:
    for language in texts.LANGUAGES:
        words = charts.words(language)
        assert all(words[tool] and words[f"{tool}_help"] for tool in charts.TOOLS)
