"""Expert iteration is made of parts that there are: best of several answers, fine-tuning on them, and again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio_core import training
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.curation import making
from studio_core.data import store
from studio_core.data.shapes import Shape
from studio_core.models import registry
from studio_core.rewards import score
from studio_core.runs.spec import DataSpec
from tests.integration.in_this_process import carried_out
from tests.integration.test_generation import made_here

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.

ROWS = Path(__file__).parents[2] / "static" / "samples" / "sums-prompts.jsonl"


def test_a_round_keeps_right_answers_and_the_next_one_asks_the_model_that_learnt_them(
    studio: Studio, tmp_path: Path
) -> None:
    registry.ensure_demo_models(studio)
    file = tmp_path / "sums.jsonl"
    rows = ROWS.read_text(encoding="utf-8").splitlines()[:12]
    file.write_text("\n".join(rows), encoding="utf-8")
    store.import_file(studio, file)
    wanted = {row["prompt"][-1]["content"]: row for row in map(json.loads, rows)}
    right, model = score("equality", {}), "tiny-chat"
    for number in (1, 2):
        options = {"model": model, "k": 3, "reward": "equality", "min_score": 1.0, "max_tokens": 48}
        wish = DataSpec(
            operation="best_of", datasets=["sums@1"], options=options, result=f"right-{number}", seed=number
        )
        [dataset] = made_here(studio, making.submit(studio, wish))
        assert dataset.shape == Shape.PROMPT_COMPLETION and 0 < dataset.rows <= len(rows)
        for record in store.records(studio, dataset, limit=len(rows)):
            prompt = record["prompt"][-1]["content"]
            assert right(prompt, record["completion"][-1]["content"], wanted[prompt]) == 1.0
        spec = training.spec_from(
            {"method": "sft", "model": model, "dataset": f"right-{number}@1", "options": {"max_steps": 2}}
        )
        job = carried_out(studio, training.submit(studio, spec))
        assert job.state == State.SUCCEEDED, job.detail
        result = registry.result_of(studio, job.id)
        assert result is not None
        model = result.name
