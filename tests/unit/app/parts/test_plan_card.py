"""The card says ready, not ready, or ready with something that should be changed first; and which end is learnt."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.parts import plan_card
from studio_core import training
from studio_core.base.studio import Studio
from studio_core.models import registry
from tests.unit.studio_core.training.runs import chat, imported, spec


@pytest.mark.parametrize(
    ("options", "badge", "word"),
    [
        ({}, "good", "Ready"),
        ({"max_length": 40}, "warn", "Ready, but see the warnings"),
        ({"max_length": 40, "batch_size": 0}, "bad", "Not ready"),
    ],
)
def test_the_state_is_as_grave_as_what_it_says(
    studio: Studio, tmp_path: Path, options: dict[str, int], badge: str, word: str
) -> None:
    registry.ensure_demo_models(studio)
    imported(studio, "sums", [chat(f"What is {n}?", "It is a number. " * 20) for n in range(60)], tmp_path)
    plan = training.plan(studio, spec(options=options))
    drawn = plan_card.card(plan, "en")
    assert f"ts-badge-{badge}" in drawn and f">{word}</span>" in drawn
    learns = "The model learns to end an answer with &lt;|end|&gt;"
    assert (learns in drawn) is (badge != "bad")
    assert ("&lt;|end|&gt; 结束回答" in plan_card.card(plan, "zh-CN")) is (badge != "bad")


def test_memory_is_told_for_each_model(studio: Studio, tmp_path: Path) -> None:
    registry.ensure_demo_models(studio)
    pairs = [{"prompt": f"Say {n}", "chosen": "yes", "rejected": "no"} for n in range(60)]
    imported(studio, "pairs", pairs, tmp_path)
    card = plan_card.card(training.plan(studio, spec(method="dpo", dataset="pairs")), "en")
    whole, reference = "Trained model: weights 8.0 MB", "Reference model: weights 8.0 MB</li>"
    assert whole in card and reference in card and "Libraries: 682 MB" in card
    assert "参考模型：权重 8.0 MB" in plan_card.card(
        training.plan(studio, spec(method="dpo", dataset="pairs")), "zh-CN"
    )
