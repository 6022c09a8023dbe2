r"""REINFORCE leave-one-out (Ahmadian et al. 2024, arXiv:2402.14740): an answer is measured against the others.

    R_i = r_i - beta * sum over tokens of (log pi_old - log pi_reference)
    A_i = R_i - mean of the other answers' R
    loss = - mean over answers of  min(rho * A_i, clip(rho, 1 - epsilon, 1 + epsilon_high) * A_i)

The model writes ``num_generations`` answers to each prompt. What the others are worth is the baseline: an answer's own
reward is not in it, so that the gradient is unbiased however few there are; two are enough. The answer is one action:
``rho`` is how much likelier the whole of it is now than when it was written. What sets it apart from GRPO: nothing is
divided by a spread, a long answer weighs more than a short one, and leaving the reference costs reward instead of
having a gradient of its own.

Watch: the reward rises, the KL stays at a few nats an answer; the share of groups whose answers are all worth the same.
What goes wrong: a beta that costs more than the reward can give (rewards here are mostly 0 to 1, and a KL of 20 nats
an answer at 0.05 is a whole reward); rewards of a large scale, which nothing divides: clip them, or normalise the
advantages; as with GRPO a reward that can be had without the skill.

    python -m jobs.training.rloo --model static/models/tiny-chat \
        --data static/samples/sums-prompts.jsonl --out /tmp/rloo

spec -> model -> prompts -> trainer -> answers before -> write, score, step -> answers after -> save
"""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from trl import RLOOConfig, RLOOTrainer

from jobs.training import alone, rollouts
from jobs.training.answer_rewards import spreads
from jobs.training.course import Course
from jobs.training.data import padded
from studio_core.methods.rloo import RLOOOptions


class RolloutRLOOTrainer(rollouts.Rollouts, RLOOTrainer):  # type: ignore[misc]
    """TRL's trainer; prompts, answers, rewards and the end of a run are ours."""

    _scoring = False
    """Whether answers are being scored, before they are learnt from."""

    def _generate_single_turn(self, prompt_ids: list[list[int]], *_: Any, **__: Any) -> Any:
        answers, _logprobs = super()._generate_single_turn(prompt_ids)
        return answers  # This trainer asks for no log-probabilities beside them.

    def _calculate_rewards(self, *given: Any) -> Any:
        """With ``normalize_parts`` the weights of this step are divided by the spreads of the rewards, for which this
        trainer has no setting."""
        values = super()._calculate_rewards(*given)
        if self._course.options.normalize_parts and self.model.training:
            parts = zip(self.reward_func_names, values.T.tolist(), strict=True)
            known = {name: [value for value in column if value == value] for name, column in parts}
            self.reward_weights = self.reward_weights / torch.tensor([*spreads(known).values()])
        return values

    def _generate(self, prompts: list[Any]) -> Any:
        generated = super()._generate(prompts)
        if self._by_turns:  # This trainer knows no tools: it has counted what the environment wrote.
            counts = [text.own_tokens for text in self._written]
            metrics = self._metrics["train" if self.model.training else "eval"]
            for name, value in (("mean", fmean(counts)), ("min", min(counts)), ("max", max(counts))):
                metrics[f"completions/{name}_length"][-1] = float(value)
        return generated

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self._scoring = True
        try:
            output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        finally:
            self._scoring = False
        if self._by_turns:
            whole = output["completion_mask"]
            output["completion_mask"] = whole * padded([text.own for text in self._written], whole)
            self._correct_kl(whole, output["completion_mask"])
        return output

    def _correct_kl(self, whole: torch.Tensor, own: torch.Tensor) -> None:
        """The mean KL is over the tokens of the model: it was divided by all."""
        kl = self._metrics["train" if self.model.training else "eval"]["kl"]
        if kl:
            kl[-1] *= float(whole.sum() / own.sum().clamp(min=1))

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        *args: Any,
        **given: Any,
    ) -> Any:
        """What lies between two tokens of the model is read, and has log-probability and entropy 0.

        While answers are scored the mask is whole, and those of this step are at hand; while they are learnt from its
        gaps say where the environment wrote.
        """
        if not self._by_turns:
            return super()._get_per_token_logps_and_entropies(
                model, input_ids, attention_mask, logits_to_keep, *args, **given
            )
        mask = attention_mask[:, -logits_to_keep:]
        behind = mask.flip(1).cummax(1).values.flip(1)
        read = torch.cat([attention_mask[:, :-logits_to_keep], behind], 1)
        logps, entropies, further = super()._get_per_token_logps_and_entropies(
            model, input_ids, read, logits_to_keep, *args, **given
        )
        own = padded([text.own for text in self._written], mask) if self._scoring else mask
        return logps * own, entropies, further


def settings(options: RLOOOptions) -> dict[str, Any]:
    """The options by TRL's names."""
    return {
        "num_iterations": options.num_iterations,
        "epsilon": options.epsilon,
        "epsilon_high": options.epsilon_high or options.epsilon,
        "normalize_advantages": options.normalize_advantages,
        "reward_clip_range": (-options.reward_clip, options.reward_clip) if options.reward_clip else None,
        "mask_truncated_completions": options.mask_truncated,
    }


def main(run_dir: Path) -> None:
    course = Course.begin(run_dir, RLOOOptions)
    rollouts.carry_out(course, RolloutRLOOTrainer, RLOOConfig, settings(course.options))


if __name__ == "__main__":
    alone.run("rloo", main)
