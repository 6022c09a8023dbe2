"""In which order the charts of a run that learns from rewards are read: three questions, the first one first.

What goes up only (``advances``) means nothing while answers are cut or alike (``flows``), and what is wrong then is
seen in how the model moves (``odd``).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from studio_core.methods.base import Chart

QUESTIONS = {
    "advances": ("reward", "reward_parts", "loss", "margins"),
    "flows": ("groups", "ties", "written", "cut", "speed"),
    "odd": (),
}
"""The charts by which each is answered, in their order; all others belong to the last."""


def by_question(charts: Sequence[Chart]) -> list[tuple[str, list[Chart]]]:
    """The charts below their questions; of a run without rewards all of them below none."""
    if not any(chart.name == "reward" for chart in charts):
        return [("", [*charts])]
    ordered = sorted(charts, key=_place)
    return [(question, [*group]) for question, group in groupby(ordered, key=question_of)]


def question_of(chart: Chart) -> str:
    return next((question for question, names in QUESTIONS.items() if chart.name in names), "odd")


def _place(chart: Chart) -> tuple[int, int]:
    question = question_of(chart)
    names = QUESTIONS[question]
    return [*QUESTIONS].index(question), names.index(chart.name) if chart.name in names else 0
