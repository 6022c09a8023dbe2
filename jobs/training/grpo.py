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

import copy
from pathlib import Path
from typing import Any

from trl import GRPOConfig, GRPOTrainer
from trl.trainer.utils import add_fused_lm_head

from jobs.training import alone, rollouts
from jobs.training.course import Course
from jobs.training.loading import load_model, needs_checkpointing, new_adapter
from studio_core.base.errors import BadInput
from studio_core.methods.grpo import GRPOOptions
from studio_core.methods.rollouts import rewards_of


class RolloutGRPOTrainer(rollouts.Rollouts, GRPOTrainer):  # type: ignore[misc]
    """TRL's trainer; prompts, answers, rewards and the end of a run are ours."""


def settings(options: GRPOOptions) -> dict[str, Any]:
    """The options by TRL's names."""
    return {
        "num_generations": options.num_generations,
        "num_generations_eval": 1,  # Held-out prompts are answered once: their reward is a mean over prompts.
        "max_completion_length": options.max_new_tokens,
        "temperature": options.temperature,
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
    run, options = course.run, course.options
    model = load_model(run, course.machine, course.team.sharded)
    # Under an adapter the frozen weights are the reference. TRL would load a second model by its name, in its own way.
    separate = course.tuning.whole and options.beta > 0
    reference = copy.deepcopy(model).requires_grad_(False) if separate else None
    course.events.write("phase", phase="preparing")
    data = course.data(rollouts.rows)
    if len(data.train) < options.prompts_of_step:
        raise BadInput("methods.rollouts.few_prompts", rows=len(data.train), wanted=options.prompts_of_step)
    trainer = RolloutGRPOTrainer(
        course=course,
        model=model,
        reward_funcs=rollouts.functions(course),
        args=GRPOConfig(
            **course.arguments(data),
            gradient_checkpointing=needs_checkpointing(run, options, data.train, course.machine),
            beta=0.0 if separate else options.beta,
            reward_weights=[choice.weight for choice in rewards_of(run.spec)],
            **settings(options),
        ),
        train_dataset=rollouts.dataset(data.train),
        eval_dataset=rollouts.dataset(data.held_out) if data.held_out is not None else None,
        processing_class=course.tokenizer,
        peft_config=new_adapter(run, options, model),
    )
    if reference is not None:
        add_fused_lm_head(reference, temperature=options.temperature)  # As the trainer does with the model.
        trainer.ref_model = trainer.accelerator.prepare_model(reference, evaluation_mode=True)
        trainer.beta = options.beta
    course.train(trainer, data)
    course.save(trainer)


if __name__ == "__main__":
    alone.run("grpo", main)
