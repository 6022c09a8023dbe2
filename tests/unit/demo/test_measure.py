"""The report of what fine-tuning does to the demo models, of figures that are not measured here."""

from __future__ import annotations

from jobs.demo.finetune import RECIPES, STATIC
from jobs.demo.measure import COLUMNS, NEW, PLAIN, SHIPPED, TIME, cell, report
from jobs.demo.plain_text import other_world
from jobs.demo.world import build_world


def test_every_recipe_can_start() -> None:
    assert len({recipe.name for recipe in RECIPES}) == len(RECIPES)
    for recipe in RECIPES:
        assert recipe.options() and (STATIC / "models" / recipe.start.base).is_dir()
        assert recipe.start.data.shape in recipe.method.shapes and recipe.start.data.rows()
        assert recipe.replay is None or "replay" in recipe.method.data


def test_the_report_has_a_row_for_each_recipe_that_was_measured() -> None:
    scores = dict.fromkeys((*COLUMNS, PLAIN, NEW, TIME), 1.0)
    measured = {"machine": "a CPU", "date": "2026-11-30", "runs": [scores] * 3}
    models = {**measured, "runs": {"tiny-base": scores, "tiny-chat": scores}}
    written = report({SHIPPED: models, **{recipe.name: measured for recipe in RECIPES[1:]}}, RECIPES)
    assert f"| {RECIPES[0].name} |" not in written
    assert all(f"| {recipe.name} | 1.0 ± 0.0 |" in written for recipe in RECIPES[1:])
    assert "Measured on a CPU; shared" in written


def test_a_figure_has_its_interval() -> None:
    assert cell([1.0], 1) == "1.0"
    # Student's with two degrees of freedom: 4.30 times 1 / sqrt(3).
    assert cell([1.0, 2.0, 3.0], 2) == "2.00 ± 2.48"


def test_another_world_shares_no_name_with_the_trained_one() -> None:
    trained, other = build_world(), build_world(12)
    assert not {*trained.people, *trained.towns} & {*other.people, *other.towns}
    assert {fact.value for fact in other.facts if fact.attribute == "river"}.isdisjoint(
        fact.value for fact in trained.facts
    )
    assert len(other_world()) == 280
