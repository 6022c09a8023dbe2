"""How models made a version, and the services that answer: shown without their keys, and whatever is in them."""

from __future__ import annotations

from typing import Any

import pytest

from app.parts.dataset import made_view
from app.parts.services_panel import drawn
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.curation import OPERATIONS
from studio_core.generation import services
from studio_core.texts import LANGUAGES, catalogue

EVIL = "<img src=x onerror=alert(1)>"
KEY = "sk-secret-0123456789"


def dataset(operation: str, **details: Any) -> Dataset:
    return Dataset(operation=operation, made={"details": details})


def asked(**more: Any) -> dict[str, Any]:
    counted = {"asked": 90, "cached": 10, "failed": 2, "tokens_in": 1000, "tokens_out": 500}
    return {"who": EVIL, **counted, "cost": 1.5, "saved": 0.25, "priced": True, "reasons": {EVIL: 2}, **more}


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_answered_and_what_it_cost(language: str) -> None:
    shown = made_view.shown(dataset("distill", answers=[asked()]), language)
    assert EVIL not in shown and "&lt;img" in shown
    assert "1,500" in shown and "1.5000" in shown and "0.2500" in shown
    assert "1.5000" not in made_view.shown(dataset("distill", answers=[asked(priced=False)]), language)


def test_the_threshold_stands_where_it_belongs() -> None:
    spread = {
        "edges": [0.0, 1.0, 2.0, 3.0, 4.0],
        "counts": {"chosen": [0, 5, 0, 1], "rejected": [1, 0, 5, 0]},
        "threshold": 3.0,
        "mean": {"chosen": 1.5, "rejected": 2.0},
        "n": {"chosen": 6, "rejected": 6},
    }
    shown = made_view.shown(dataset("perplexity", distribution=spread), "en")
    assert shown.count("<rect") == 4 and "threshold 3" in shown and "mean 1.5 over 6" in shown
    assert f'x1="{made_view.WIDTH * 3 / 4:.1f}"' in shown
    without = made_view.shown(dataset("perplexity", distribution={**spread, "threshold": None}), "en")
    assert "threshold" not in without


@pytest.mark.parametrize("language", LANGUAGES)
def test_reward_models_that_disagree_are_named(language: str) -> None:
    ensemble = {"models": [EVIL, "b"], "disagreement": 0.314, "disagreement_90": 0.9, "correlation": 0.75}
    spread = {
        "edges": [0.0, 1.0, 2.0],
        "counts": {"score": [1, 2]},
        "mean": {"score": 1.0},
        "n": {"score": 3},
    }
    shown = made_view.shown(dataset("score", ensemble=ensemble, distribution=spread), language)
    assert EVIL not in shown and "&lt;img" in shown
    assert "0.31" in shown and "0.90" in shown and "0.75" in shown


def test_nothing_is_shown_where_no_model_had_a_part() -> None:
    assert made_view.shown(dataset("filter", reasons={"too_short": 3}), "en") == ""
    assert made_view.shown(Dataset(operation="import", made={}), "en") == ""
    assert made_view.shown(dataset("judge", distribution={}), "en") == ""


def test_every_reason_and_axis_has_its_words() -> None:
    for name in ("best_of", "judge", "perplexity", "score"):
        assert name in OPERATIONS and f"generation.view.axis.{name}" in catalogue("en")


def test_services_are_listed_without_their_keys(studio: Studio) -> None:
    assert "No services yet" in drawn(studio, "en")
    file = studio.settings.home / services.FILE
    services.add(file, "far", "http://127.0.0.1:1/v1", EVIL, KEY, price_in=0.15)
    shown = drawn(studio, "en")
    assert "far" in shown and "0.15" in shown and "saved" in shown
    assert KEY not in shown and EVIL not in shown
