"""What is particular to PPO, on miniature models: its four models, what they see, replay, a stop in between."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from jobs.training import ppo, reward
from jobs.training.course import Course
from jobs.training.critic import Critic
from jobs.training.loading import load_model, with_adapter
from jobs.training.writing import opened, predicted
from studio_core.base.errors import BadInput
from studio_core.data.shapes import Shape
from studio_core.methods.ppo import PPOOptions
from studio_core.runs import rollouts
from studio_core.runs.run_folder import CHECKPOINTS, MODEL
from studio_core.runs.spec import ResolvedModel
from tests.integration.method_conformance import ROWS
from tests.integration.miniature import (
    LONGER,
    by_token,
    chats,
    events,
    make_run,
    pairs,
    stop_amid_answers,
    values,
    weights,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory, base: ResolvedModel) -> ResolvedModel:
    run_dir = make_run(
        tmp_path_factory.mktemp("scorer") / "run", base, pairs(8), method="reward", prompts=(), max_steps=2
    )
    reward.main(run_dir)
    return ResolvedModel(name="scorer", path=str(run_dir / MODEL), parameters=base.parameters)


def prepared(folder: Path, base: ResolvedModel, **given: Any) -> Path:
    settings: dict[str, Any] = {
        "rewards": [LONGER], "batch_size": 8, "max_new_tokens": 12, "max_steps": 5, "learning_rate": 2e-2,
        "value_learning_rate": 2e-2, "save_steps": 2, "num_iterations": 2, "minibatches": 2, **given,
    }  # fmt: skip
    rows = settings.pop("rows", ROWS[Shape.PROMPT_ONLY])
    return make_run(folder, base, rows, method="ppo", shape=Shape.PROMPT_ONLY, **settings)


@pytest.mark.parametrize("tuning", ["full", "lora", "prefix_tuning"])
def test_the_reference_is_the_model_as_it_was(tmp_path: Path, base: ResolvedModel, tuning: str) -> None:
    run_dir = prepared(tmp_path / "run", base, tuning=tuning, kl_coef=0.1)
    ppo.main(run_dir)
    drift = values(run_dir, "sequence_kl")
    if tuning != "prefix_tuning":  # Virtual tokens begin at random: with them it is not what it was.
        assert drift[0] == pytest.approx(0, abs=1e-5)
    assert drift[-1] > 1e-4
    kept = [*rollouts.read(run_dir)]
    assert len(kept) == 5 * 8 and all(one["tokens"] <= 12 for one in kept)
    assert {one["prompt"] for one in kept[:8]} > {kept[0]["prompt"]}
    figures = [figures for _, figures in by_token(run_dir, "advantage", "entropy", "ratio")]
    assert any(len({*one["advantage"]}) > 1 for one in figures), "each token has its own"
    assert any(abs(ratio - 1) > 1e-3 for one in figures for ratio in one["ratio"])


def test_a_value_stands_before_the_token_that_it_does_not_know_yet(
    tmp_path: Path, base: ResolvedModel
) -> None:
    """Whatever token comes at a place, the value there is the same, and so is what predicts it."""
    course = Course.begin(prepared(tmp_path / "run", base), PPOOptions)
    model = load_model(course.run, course.machine).eval()
    critic = Critic.like_policy(course, model).eval()
    torch.nn.init.ones_(critic.head.weight)  # type: ignore[arg-type]
    learnt = [[False, False, True, True, True], [False, True, True]]
    texts, others = [[7, 8, 9, 10, 11], [7, 8, 9]], [[7, 8, 9, 10, 12], [7, 8, 12]]
    with torch.no_grad():
        one, other = critic(texts, learnt), critic(others, learnt)
        alone = critic(texts[1:], learnt[1:])
        logits, tokens = predicted(opened(course, model), texts, learnt)
        whole = model(input_ids=torch.tensor(texts[:1])).logits[0, 1:4]
    assert tokens.tolist() == [9, 10, 11, 8, 9]
    assert torch.allclose(one, other, atol=1e-5) and len(one) == 5
    assert torch.allclose(one[3:], alone, atol=1e-5)
    assert torch.allclose(logits[:3], whole, atol=1e-5)


def test_with_lora_all_stand_on_the_weights_of_one_base(tmp_path: Path, base: ResolvedModel) -> None:
    course = Course.begin(prepared(tmp_path / "run", base, tuning="lora"), PPOOptions)
    model = with_adapter(course.run, course.options, load_model(course.run, course.machine))
    critic = Critic.like_policy(course, model)
    own = dict(model.named_parameters())
    for name, weight in critic.trunk.named_parameters():
        assert (weight is own[name]) is not weight.requires_grad, name


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_a_reward_model_says_what_answers_are_worth_and_what_the_value_model_begins_with(
    tmp_path: Path, base: ResolvedModel, scorer: ResolvedModel, tuning: str
) -> None:
    run_dir = prepared(
        tmp_path / "run", base, tuning=tuning, rewards=[], models={"reward": scorer}, value_start="reward"
    )
    before = load_file(next(Path(scorer.path).glob("*.safetensors")))
    ppo.main(run_dir)
    first = [one["rewards"]["reward_model"] for one in rollouts.read(run_dir)][:8]
    assert sum(first) == pytest.approx(0, abs=1e-4)  # type: ignore[arg-type]
    assert sum(score * score for score in first if score) == pytest.approx(8, rel=1e-3)
    assert values(run_dir, "value_loss")[-1] > 0
    after = load_file(next(Path(scorer.path).glob("*.safetensors")))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_value_model_cannot_start_as_a_reward_model_that_is_not_there(
    tmp_path: Path, base: ResolvedModel
) -> None:
    with pytest.raises(BadInput, match="the run has none"):
        ppo.main(prepared(tmp_path / "run", base, value_start="reward"))


def test_only_the_value_model_learns_in_the_rounds_of_its_warmup(tmp_path: Path, base: ResolvedModel) -> None:
    run_dir = prepared(tmp_path / "run", base, value_warmup=2, kl_coef=0.1)
    ppo.main(run_dir)
    assert values(run_dir, "sequence_kl")[:3] == pytest.approx([0, 0, 0], abs=1e-5)
    assert values(run_dir, "sequence_kl")[3] > 1e-5 and len(values(run_dir, "value_loss")) == 5


def test_a_fresh_value_model_below_lambda_1_is_told(tmp_path: Path, base: ResolvedModel) -> None:
    def told(name: str, **given: Any) -> bool:
        run_dir = prepared(tmp_path / name, base, max_steps=1, **given)
        ppo.main(run_dir)
        return any(one["key"] == "methods.notice.fresh_critic" for one in events(run_dir, "notice"))

    assert not told("default")
    assert told("below", gae_lambda=0.95)
    assert not told("warm", gae_lambda=0.95, value_warmup=1)


def test_replayed_answers_are_learnt_beside_those_that_were_written(
    tmp_path: Path, base: ResolvedModel
) -> None:
    run_dir = prepared(
        tmp_path / "run", base, replay=chats(8), replay_shape=Shape.CHAT, replay_share=0.5, max_steps=8
    )
    ppo.main(run_dir)
    told = values(run_dir, "replay_loss")
    assert len(told) == 8 and told[-1] < told[0]


@pytest.mark.parametrize("more", [{}, {"tuning": "lora", "kl_target": 0.01, "kl_horizon": 100}])
def test_a_stop_amid_a_rollout_keeps_the_last_round_and_a_resumed_run_equals_the_unbroken_one(
    tmp_path: Path,
    base: ResolvedModel,
    scorer: ResolvedModel,
    monkeypatch: pytest.MonkeyPatch,
    more: dict[str, Any],
) -> None:
    given = {"models": {"reward": scorer}, **more}
    whole, stopped = (prepared(tmp_path / name, base, **given) for name in ("whole", "stopped"))
    ppo.main(whole)
    stop_amid_answers(monkeypatch, 3)
    before = signal.getsignal(signal.SIGTERM)
    ppo.main(stopped)
    signal.signal(signal.SIGTERM, before)
    [result] = events(stopped, "result")
    assert (result["state"], result["step"], result["total_steps"]) == ("stopped", 2, 5)
    monkeypatch.undo()
    resumed = prepared(
        tmp_path / "resumed", base, resume_from=stopped / CHECKPOINTS / "checkpoint-2", **given
    )
    ppo.main(resumed)
    one, other = weights(whole), weights(resumed)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert any(not torch.equal(one[name], weights(stopped)[name]) for name in one)
    assert values(whole, "kl_coef")[-1] == values(resumed, "kl_coef")[-1]
