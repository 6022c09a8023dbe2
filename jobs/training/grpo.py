r"""Group relative policy optimisation (Shao et al. 2024, arXiv:2402.03300): better answers become likelier.

    A_i = (r_i - mean of its group's rewards) / (their standard deviation + 1e-4)
    loss = - mean over tokens of  min(rho * A_i, clip(rho, 1 - epsilon, 1 + epsilon_high) * A_i)  [+ beta * KL]

The model writes ``num_generations`` answers to each prompt, rewards say what each is worth, and the others to the same
prompt are what it is measured against: no value model is needed. ``rho`` is how much likelier a token is now than when
it was written. With ``num_iterations`` 1 that is 1: nothing is clipped, and all losses differ by their divisor only (a
mean over tokens of the batch, over each answer's, or over a constant).

Watch: the reward rises, and the length with it or not; the share of groups whose answers are all worth the same: all
best is done, all worst is too hard, and neither teaches anything.
What goes wrong: a reward that can be had without the skill (look at the rollouts); an entropy that falls to nothing,
after which all answers of a group are one; answers cut at the limit, which are worth nothing and were perhaps right.

    python -m jobs.training.grpo --model static/models/tiny-chat \
        --data static/samples/sums-prompts.jsonl --out /tmp/grpo

spec -> model -> prompts -> trainer -> answers before -> write, score, step -> answers after -> save
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trl import GRPOConfig, GRPOTrainer

from jobs.training import alone, rollouts
from jobs.training.course import Course
from studio_core.methods.grpo import GRPOOptions


class RolloutGRPOTrainer(rollouts.Rollouts, GRPOTrainer):  # type: ignore[misc]
    """TRL's trainer; prompts, answers, rewards and the end of a run are ours."""

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        if self._by_turns:
            self.rollout_func = self._written_by_turns

    def _written_by_turns(self, prompts: list[Any], _: Any) -> dict[str, Any]:
        """Where the mask is 0 the environment wrote: no part of loss, KL, entropy and lengths."""
        prompt_ids, *_ = self._tokenize_prompts(prompts)
        completions, _logprobs = self._generate_single_turn(prompt_ids)
        mask = [[int(own) for own in text.own] for text in self._written]
        return {
            "prompt_ids": prompt_ids,
            "completion_ids": completions,
            "logprobs": None,
            "env_mask": mask,
        }


def settings(options: GRPOOptions) -> dict[str, Any]:
    """The options by TRL's names."""
    return {
        "loss_type": options.loss,
        "scale_rewards": options.scale_rewards,
        "importance_sampling_level": options.importance,
        "num_iterations": options.num_iterations,
        "epsilon": options.epsilon,
        # CISPO's bound is of the weight itself (5 in ScaleRL, arXiv:2510.13786), not of its distance from 1.
        "epsilon_high": (options.epsilon_high or options.epsilon) if options.loss != "cispo" else 5.0,
        "mask_truncated_completions": options.mask_truncated,
        "multi_objective_aggregation": "normalize_then_sum"
        if options.normalize_parts
        else "sum_then_normalize",
        "entropy_coef": options.entropy_coef,
        "top_entropy_quantile": options.top_entropy,
    }


def main(run_dir: Path) -> None:
    course = Course.begin(run_dir, GRPOOptions)
    rollouts.carry_out(course, RolloutGRPOTrainer, GRPOConfig, settings(course.options))


if __name__ == "__main__":
    alone.run("grpo", main)
