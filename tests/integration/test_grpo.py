"""What is particular to GRPO, on miniature models: rollouts, rewards that fail, the reference, a stop in between."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from jobs.generation.scoring import RewardModel
from jobs.training import grpo
from studio_core import rewards
from studio_core.base.errors import BadInput
from studio_core.data.shapes import Shape
from studio_core.runs import rollouts
from studio_core.runs.run_folder import CHECKPOINTS
from studio_core.runs.spec import ResolvedModel, RewardChoice
from tests.integration.method_conformance import ROWS
from tests.integration.miniature import (
    LONGER,
    by_token,
    events,
    make_run,
    miniature_model,
    stop_amid_answers,
    values,
    weights,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.


def prepared(folder: Path, base: ResolvedModel, **given: Any) -> Path:
    settings: dict[str, Any] = {
        "rewards": [LONGER], "batch_size": 8, "num_generations": 4, "max_new_tokens": 12, "max_steps": 6,
        "learning_rate": 2e-2, "save_steps": 3, **given,
    }  # fmt: skip
    rows = settings.pop("rows", ROWS[Shape.PROMPT_ONLY])
    return make_run(folder, base, rows, method="grpo", shape=Shape.PROMPT_ONLY, **settings)


def test_an_advantage_is_how_much_better_an_answer_is_than_its_group(
    tmp_path: Path, base: ResolvedModel
) -> None:
    boxed = RewardChoice(name="lacks", weight=-2.0, options={"text": "a"})
    run_dir = prepared(tmp_path / "run", base, rewards=[LONGER, boxed], max_steps=3)
    grpo.main(run_dir)
    kept = [*rollouts.read(run_dir)]
    assert len(kept) == 3 * 8 and [one["step"] for one in kept[::8]] == [1, 2, 3]
    for start in range(0, len(kept), 4):
        group = kept[start : start + 4]
        assert len({one["prompt"] for one in group}) == 1 and "plus" in group[0]["prompt"]
        worth = [one["rewards"]["longer"] - 2 * one["rewards"]["lacks"] for one in group]  # type: ignore[operator]
        assert [one["reward"] for one in group] == pytest.approx(worth)
        expected = [(value - mean(worth)) / (stdev(worth) + 1e-4) for value in worth]
        assert [one["advantage"] for one in group] == pytest.approx(expected, abs=1e-4)
    assert values(run_dir, "reward")[0] == pytest.approx(mean(one["reward"] or 0 for one in kept[:8]))
    assert all(one["tokens"] <= 12 for one in kept)
    assert len({one["answer"] for one in kept[:4]}) > 1
    shaded = [one["reward"] for one, _ in by_token(run_dir, "entropy") if one["step"] == 1]
    worth = [one["reward"] for one in kept[:8]]
    assert {max(worth), min(worth), *worth[-2:]} == {*shaded}  # type: ignore[type-var]


def test_a_reward_that_raises_has_no_say_and_ends_no_run(
    tmp_path: Path, base: ResolvedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def odd(options: Any) -> Any:
        def score(prompt: str, answer: str, record: Any) -> float:
            if len(answer) % 2:
                raise RuntimeError(answer)
            return len(answer) / 100

        return score

    monkeypatch.setitem(rewards.REWARDS, "longer", replace(rewards.REWARDS["longer"], score=odd))
    run_dir = prepared(tmp_path / "run", base, max_steps=2)
    grpo.main(run_dir)
    kept = [*rollouts.read(run_dir)]
    silent = [one for one in kept if len(one["answer"]) % 2]
    assert silent and len(silent) < len(kept)
    assert all(one["reward"] is None and one["advantage"] == 0 for one in silent)
    [notice] = [one for one in events(run_dir, "notice") if one["key"] == "methods.notice.reward_failed"]
    assert notice["values"]["reward"] == "longer" and "RuntimeError" in notice["values"]["error"]
    assert values(run_dir, "rewards/longer/unscored")[0] == sum(one in silent for one in kept[:8]) / 8


def test_a_reward_model_scores_what_is_written(tmp_path: Path, base: ResolvedModel) -> None:
    named = miniature_model(tmp_path / "judge", seed=7)
    AutoModelForSequenceClassification.from_pretrained(named.path, num_labels=1).save_pretrained(named.path)
    chosen = [RewardChoice(name="reward_model"), LONGER]
    run_dir = prepared(tmp_path / "run", base, rewards=chosen, models={"reward": named}, max_steps=2)
    grpo.main(run_dir)
    kept = [*rollouts.read(run_dir)]
    assert len(kept) == 2 * 8 and len({one["rewards"]["reward_model"] for one in kept}) > 4
    model = RewardModel.load(named)
    for one in kept:
        text = model.text([{"role": "user", "content": one["prompt"]}], one["answer"])
        assert one["rewards"]["reward_model"] == pytest.approx(model.scores([text])[0], abs=1e-4)
    assert values(run_dir, "rewards/reward_model/unscored") == [0.0, 0.0]


def test_a_reward_may_count_twice_with_other_settings(tmp_path: Path, base: ResolvedModel) -> None:
    shorter = RewardChoice(name="longer", weight=-1.0, options={"characters": 5})
    run_dir = prepared(tmp_path / "run", base, rewards=[LONGER, shorter], max_steps=2)
    grpo.main(run_dir)
    for one in rollouts.read(run_dir):
        first, second = one["rewards"]["longer"], one["rewards"]["longer-2"]
        assert first is not None and second is not None and first <= second
        assert one["reward"] == pytest.approx(first - second)


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_the_reference_is_the_model_as_it_was(tmp_path: Path, base: ResolvedModel, tuning: str) -> None:
    run_dir = prepared(tmp_path / "run", base, tuning=tuning, beta=0.1)
    grpo.main(run_dir)
    drift = values(run_dir, "kl")
    assert drift[0] == pytest.approx(0, abs=1e-6) and drift[-1] > 1e-4


@pytest.mark.parametrize("more", [{}, {"num_iterations": 2}, {"gradient_accumulation": 2}])
def test_a_stop_amid_a_rollout_keeps_the_last_step_and_a_resumed_run_equals_the_unbroken_one(
    tmp_path: Path, base: ResolvedModel, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]
) -> None:
    whole, stopped = (prepared(tmp_path / name, base, **more) for name in ("whole", "stopped"))
    grpo.main(whole)
    stop_amid_answers(monkeypatch, 3)
    before = signal.getsignal(signal.SIGTERM)
    grpo.main(stopped)
    signal.signal(signal.SIGTERM, before)
    done = 4 if "num_iterations" in more else 2
    [result] = events(stopped, "result")
    assert (result["state"], result["step"], result["total_steps"]) == ("stopped", done, 6)
    monkeypatch.undo()
    checkpoint = stopped / CHECKPOINTS / f"checkpoint-{done}"
    resumed = prepared(tmp_path / "resumed", base, resume_from=checkpoint, **more)
    grpo.main(resumed)
    one, other = weights(whole), weights(resumed)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert any(not torch.equal(one[name], weights(stopped)[name]) for name in one)


def test_a_run_that_stops_between_two_updates_from_one_batch_goes_on_with_it(
    tmp_path: Path, base: ResolvedModel
) -> None:
    """Its answers are in the checkpoint: with others the resumed run would become another."""
    twice = {"num_iterations": 2, "max_steps": 4, "save_steps": 3}
    whole = prepared(tmp_path / "whole", base, **twice)
    grpo.main(whole)
    ratios = [ratio for _, figures in by_token(whole, "entropy", "ratio") for ratio in figures["ratio"]]
    assert any(abs(ratio - 1) > 1e-3 for ratio in ratios), "the second update sees another model"
    checkpoint = whole / CHECKPOINTS / "checkpoint-3"
    resumed = prepared(tmp_path / "resumed", base, resume_from=checkpoint, **twice)
    grpo.main(resumed)
    assert not [*rollouts.read(resumed)]
    one, other = weights(whole), weights(resumed)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_fewer_prompts_than_a_step_takes_are_refused(tmp_path: Path, base: ResolvedModel) -> None:
    run_dir = prepared(tmp_path / "run", base, rows=ROWS[Shape.PROMPT_ONLY][:1])
    with pytest.raises(BadInput, match="takes 2 prompts, but only 1"):
        grpo.main(run_dir)
