"""What is particular to RLOO, on miniature models: the baseline, the KL in the reward, a stop amid answers."""

from __future__ import annotations

import signal
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from jobs.training import rloo
from studio_core.data.shapes import Shape
from studio_core.runs import rollouts
from studio_core.runs.run_folder import CHECKPOINTS, MODEL
from studio_core.runs.spec import ResolvedModel, RewardChoice
from tests.integration.method_conformance import ROWS
from tests.integration.miniature import (
    LONGER,
    by_token,
    events,
    make_run,
    stop_amid_answers,
    values,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.


def prepared(folder: Path, base: ResolvedModel, **given: Any) -> Path:
    settings: dict[str, Any] = {
        "rewards": [LONGER], "batch_size": 8, "num_generations": 4, "max_new_tokens": 12, "max_steps": 6,
        "learning_rate": 2e-2, "save_steps": 3, **given,
    }  # fmt: skip
    return make_run(folder, base, ROWS[Shape.PROMPT_ONLY], method="rloo", shape=Shape.PROMPT_ONLY, **settings)


@pytest.mark.parametrize("divided", [False, True])
def test_the_baseline_of_an_answer_is_the_mean_of_the_others(
    tmp_path: Path, base: ResolvedModel, divided: bool
) -> None:
    near = RewardChoice(name="near_length", weight=0.5, options={"characters": 20})
    run_dir = prepared(
        tmp_path / "run", base, beta=0.0, max_steps=2, rewards=[LONGER, near], normalize_parts=divided
    )
    rloo.main(run_dir)
    kept = [*rollouts.read(run_dir)]
    assert len(kept) == 2 * 8
    for start in range(0, len(kept), 4):
        step = kept[start // 8 * 8 :][:8]
        scales = {
            name: weight / (pstdev(one["rewards"][name] or 0.0 for one in step) if divided else 1.0)
            for name, weight in (("longer", 1.0), ("near_length", 0.5))
        }
        group = kept[start : start + 4]
        worth = [
            sum(scales[name] * (value or 0.0) for name, value in one["rewards"].items()) for one in group
        ]
        told = [
            (one["rewards"]["longer"] or 0.0) + 0.5 * (one["rewards"]["near_length"] or 0.0) for one in group
        ]
        assert [one["reward"] for one in group] == pytest.approx(told, abs=1e-5)
        expected = [value - mean(worth[:n] + worth[n + 1 :]) for n, value in enumerate(worth)]
        assert [one["advantage"] for one in kept[start : start + 4]] == pytest.approx(expected, abs=1e-5)
    assert by_token(run_dir, "entropy")


def test_rewards_beyond_the_limit_are_clipped(tmp_path: Path, base: ResolvedModel) -> None:
    run_dir = prepared(tmp_path / "run", base, beta=0.0, max_steps=1, reward_clip=0.05)
    rloo.main(run_dir)
    group = [*rollouts.read(run_dir)][:4]
    worth = [min(one["reward"] or 0.0, 0.05) for one in group]
    expected = [value - mean(worth[:n] + worth[n + 1 :]) for n, value in enumerate(worth)]
    assert [one["advantage"] for one in group] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_leaving_the_reference_costs_reward(tmp_path: Path, base: ResolvedModel, tuning: str) -> None:
    run_dir = prepared(tmp_path / "run", base, tuning=tuning, beta=0.5)
    rloo.main(run_dir)
    drift = values(run_dir, "kl")
    assert drift[0] == pytest.approx(0, abs=1e-6) and abs(drift[-1]) > 1e-4
    first, last = [*rollouts.read(run_dir)][:8], [*rollouts.read(run_dir)][-8:]

    def gaps(group: list[rollouts.Rollout]) -> list[float]:
        """By how much advantages differ from those of the bare rewards."""
        worth = [one["reward"] or 0.0 for one in group]
        bare = [value - mean(worth[:n] + worth[n + 1 :]) for n, value in enumerate(worth)]
        return [abs(one["advantage"] - value) for one, value in zip(group, bare, strict=True)]

    assert max(gaps(first[:4])) < 1e-5 < max(gaps(last[:4]) + gaps(last[4:]))


@pytest.mark.parametrize("more", [{}, {"num_iterations": 2}])
def test_a_stop_amid_answers_keeps_the_last_step_and_a_resumed_run_equals_the_unbroken_one(
    tmp_path: Path, base: ResolvedModel, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]
) -> None:
    whole, stopped = (prepared(tmp_path / name, base, **more) for name in ("whole", "stopped"))
    rloo.main(whole)
    stop_amid_answers(monkeypatch, 3)
    before = signal.getsignal(signal.SIGTERM)
    rloo.main(stopped)
    signal.signal(signal.SIGTERM, before)
    monkeypatch.undo()
    done = 4 if more else 2
    [result] = events(stopped, "result")
    assert (result["state"], result["step"], result["total_steps"]) == ("stopped", done, 6)
    checkpoint = stopped / CHECKPOINTS / f"checkpoint-{done}"
    resumed = prepared(tmp_path / "resumed", base, resume_from=checkpoint, **more)
    rloo.main(resumed)
    one, other = (load_file(run_dir / MODEL / "model.safetensors") for run_dir in (whole, resumed))
    assert all(torch.equal(one[name], other[name]) for name in one)
