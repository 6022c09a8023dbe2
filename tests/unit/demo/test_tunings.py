from __future__ import annotations

from pathlib import Path

from jobs.demo.tunings import ASKED, WAYS, Outcome, document, figure
from studio_core.tunings.measured import measured

ROOT = Path(__file__).resolve().parents[3]


def test_the_document_has_the_figures_that_the_page_shows() -> None:
    assert (ROOT / "docs" / "tunings.md").read_text(encoding="utf-8") == document(measured())


def test_a_figure_is_the_mean_of_its_seeds_and_the_least_of_their_times() -> None:
    lora = next(way for way in WAYS if way.tuning.name == "lora" and way.options.get("lora_dora"))
    outcomes = [
        Outcome(10, 40, 120, seconds, dict.fromkeys(ASKED, score)) for seconds, score in ((3, 50), (2, 70))
    ]
    made = figure(lora, outcomes)
    assert (made.score, made.seconds, made.trained) == (60, 2, 10)
    assert made.merges and not made.mixes, "DoRA has a batch of its own in chat"
    assert 15e9 < made.memory < 30e9
