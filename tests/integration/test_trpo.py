"""What is particular to TRPO, on miniature models: steps within their limit, the Fisher matrix, a stop in between."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.training import rollouts, trpo
from jobs.training.answer_rewards import answer_rewards
from jobs.training.course import Course
from jobs.training.loading import load_model, with_adapter
from jobs.training.rounds import Sampler
from studio_core.data.shapes import Shape
from studio_core.methods.trpo import TRPOOptions
from studio_core.runs.run_folder import CHECKPOINTS
from studio_core.runs.spec import ResolvedModel
from tests.integration.method_conformance import ROWS
from tests.integration.miniature import (
    LONGER,
    events,
    make_run,
    stop_amid_answers,
    values,
    weights,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.


def prepared(folder: Path, base: ResolvedModel, **given: Any) -> Path:
    settings: dict[str, Any] = {
        "rewards": [LONGER], "batch_size": 8, "num_generations": 4, "max_new_tokens": 12, "max_steps": 5,
        "save_steps": 2, "fisher_answers": 4, **given,
    }  # fmt: skip
    return make_run(folder, base, ROWS[Shape.PROMPT_ONLY], method="trpo", shape=Shape.PROMPT_ONLY, **settings)


@pytest.mark.parametrize("more", [{}, {"tuning": "lora"}, {"activation_checkpointing": "on"}])
def test_every_step_stays_within_its_limit(tmp_path: Path, base: ResolvedModel, more: dict[str, Any]) -> None:
    run_dir = prepared(tmp_path / "run", base, **more)
    trpo.main(run_dir)
    moved = [kl for kl in values(run_dir, "kl") if kl]
    assert moved and all(0 < kl <= 0.01 for kl in moved)
    # Once the length of the step is right for its curvature, little is left of the limit.
    assert max(moved) > 0.001
    assert all(
        loss < 0 for loss, kl in zip(values(run_dir, "loss"), values(run_dir, "kl"), strict=True) if kl
    )


def test_a_product_with_the_fisher_matrix_is_the_curvature_of_the_divergence(
    tmp_path: Path, base: ResolvedModel
) -> None:
    """For a small step d: KL = d F d / 2."""
    course = Course.begin(prepared(tmp_path / "run", base, tuning="lora", precision="fp32"), TRPOOptions)
    model = load_model(course.run, course.machine)
    model.set_attn_implementation("eager")
    model = with_adapter(course.run, course.options, model).eval()
    sampler = Sampler(course, model, course.data(rollouts.rows), answer_rewards(course))
    steps = trpo.TRPO(course, model, sampler)
    answers = sampler.answers(sampler.rows_of_round(1), 1)
    some = [steps.seen(answers, [0.0] * len(answers))]
    direction = torch.randn(sum(w.numel() for w in steps.weights), generator=torch.Generator().manual_seed(0))
    bend = float(direction.dot(steps.fisher(some, direction)))
    length = (2 * 1e-3 / bend) ** 0.5
    old = [weight.detach().clone() for weight in steps.weights]
    steps.put(old, direction, length)
    assert steps.measured(some)[1] == pytest.approx(1e-3, rel=0.1)


def test_a_stop_amid_a_rollout_keeps_the_last_step_and_a_resumed_run_equals_the_unbroken_one(
    tmp_path: Path, base: ResolvedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, stopped = (prepared(tmp_path / name, base) for name in ("whole", "stopped"))
    trpo.main(whole)
    stop_amid_answers(monkeypatch, 3)
    before = signal.getsignal(signal.SIGTERM)
    trpo.main(stopped)
    signal.signal(signal.SIGTERM, before)
    [result] = events(stopped, "result")
    assert (result["state"], result["step"], result["total_steps"]) == ("stopped", 2, 5)
    monkeypatch.undo()
    resumed = prepared(tmp_path / "resumed", base, resume_from=stopped / CHECKPOINTS / "checkpoint-2")
    trpo.main(resumed)
    one, other = weights(whole), weights(resumed)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert any(not torch.equal(one[name], weights(stopped)[name]) for name in one)
