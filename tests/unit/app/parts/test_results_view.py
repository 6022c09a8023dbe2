"""What the page of a project says of its votes."""

from __future__ import annotations

import pytest

from app.parts.labeling import results_view
from studio_core.base.studio import Studio
from studio_core.labeling import statistics
from tests.unit.studio_core.labeling.judging import judge, project


@pytest.mark.parametrize(
    ("mode", "settings", "given", "columns"),
    [
        ("pairs", {}, {}, {"Left side wins", "Longer answer wins", "Self-consistency"}),
        ("rate", {"scale": 2}, {"verdict": "rated", "rating": 2}, {"Rated good"}),
        ("rate", {}, {"verdict": "rated", "rating": 2}, set()),
    ],
)
def test_the_columns_are_those_of_the_way_of_judging(
    studio: Studio, mode: str, settings: dict[str, int], given: dict[str, object], columns: set[str]
) -> None:
    one = project(studio, 4, mode, **settings)
    for _ in range(3):
        judge(studio, one, "anna", **given)
    if "Rated good" in columns:
        judge(studio, one, "anna", verdict="rated", rating=1)
    found = statistics.of_project(studio, one)
    drawn = results_view.statistics(found, "en")
    offered = {"Left side wins", "Longer answer wins", "Self-consistency", "Rated good"}
    assert {name for name in offered if f"{name}</th>" in drawn} == columns
    assert ("75 % (30 – 95), n = 4" in drawn) is ("Rated good" in columns)
