"""Tokens shaded by what training made of them: classes of ours, and a model's text as text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.parts import token_shading
from app.parts.token_shading import Shade, legend, shade_of, shaded, why_not
from studio_core.runs.rollouts import Rollout
from studio_core.runs.token_figures import TokenFigures
from tests.unit.studio_core.runs.test_rollouts import rollout

HOSTILE = "<img src=x onerror=alert(1)>"
ROLLOUT: Rollout = {**rollout(1), "advantage": -1.2}
PPO = TokenFigures(
    tokens=["4", HOSTILE, "", "\n", "<|end|>"],
    advantage=[0.1, 0.3, -0.6, 3.0, -1.0],
    entropy=[0.0, 0.2, 0.8, 1.5, 2.5],
    ratio=[1.0, 1.05, 0.9, 2.0, 0.0],
)
GRPO = TokenFigures(tokens=["4", "<|end|>"], entropy=[0.5, 0.1])


def kinds(shade: Shade, figures: TokenFigures) -> list[str]:
    shown = str(shaded(ROLLOUT, figures, shade, "en", 4000))
    return [kind.strip() for kind in re.findall(r'class="ts-token( ts-token-[a-z]+-\d|)"', shown)]


@pytest.mark.parametrize(
    ("shade", "expected"),
    [
        ("advantage", ["", "more-1", "less-2", "more-4", "less-3"]),
        ("entropy", ["", "more-1", "more-2", "more-3", "more-4"]),
        ("ratio", ["", "more-1", "less-2", "more-4", "less-4"]),
    ],
)
def test_a_token_is_shaded_by_how_far_its_figure_is_from_none(shade: Shade, expected: list[str]) -> None:
    assert kinds(shade, PPO) == [kind and f"ts-token-{kind}" for kind in expected]


def test_an_advantage_that_is_the_answers_is_that_of_each_token() -> None:
    assert kinds("advantage", GRPO) == ["ts-token-less-3"] * 2


def test_what_a_model_wrote_is_text_and_each_number_is_said() -> None:
    shown = str(shaded(ROLLOUT, PPO, "advantage", "en", 4000))
    assert "<img" not in shown and "&lt;img src=x" in shown and "&lt;|end|&gt;" in shown
    assert 'title="+0.3"' in shown and '<span class="ts-unseen"> (-0.6) </span>' in shown
    assert "↵" in shown and ">·<" in shown


def test_a_long_answer_is_cut_and_the_rest_counted() -> None:
    shown = str(shaded(ROLLOUT, TokenFigures(tokens=["ab"] * 9, entropy=[0.0] * 9), "entropy", "en", 5))
    assert shown.count("ts-unseen") == 3 and "6 more tokens" in shown


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_where_nothing_is_shaded_it_says_why(language: str) -> None:
    whys = [
        str(legend("entropy", language)),
        why_not(ROLLOUT, GRPO, "ratio", language),
        why_not(ROLLOUT, TokenFigures(tokens=["4"]), "entropy", language),
    ]
    assert len({*whys}) == 3 and all(whys)
    assert why_not(ROLLOUT, GRPO, "entropy", language) == ""
    assert why_not(ROLLOUT, None, "entropy", language) == why_not(ROLLOUT, None, "none", language) == ""
    assert shaded(ROLLOUT, None, "entropy", language, 4000) is None


@pytest.mark.parametrize("value", [None, 7, "x", ["entropy"], "entropy"])
def test_what_a_browser_sends_is_a_shade_or_none(value: object) -> None:
    assert shade_of(value) == ("entropy" if value == "entropy" else "none")


@pytest.mark.parametrize("shade", token_shading.EDGES)
def test_the_legend_has_each_shade_and_the_style_too(shade: Shade) -> None:
    css = Path("static/css/runs.css").read_text(encoding="utf-8")
    levels = re.findall(r"ts-token-[a-z]+-\d", str(legend(shade, "en")))
    assert len(levels) == (4 if shade == "entropy" else 8)
    assert all(f".{level} " in css for level in levels)
    assert legend("none", "en") == ""
