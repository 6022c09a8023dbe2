"""What TRL's trainers of rewards are given here: prompts as our templates write them, answers by our decoding loop,
rewards of the studio, and an end in the middle of a rollout.

TRL's own generation is ``generate``, which keeps computing rows that have ended and hears no signal.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from jobs.training.course import Course
from jobs.training.data import Count, Prepared, prompt_records, split
from jobs.training.loop import StepGivenUp
from jobs.training.reporting import random_state, set_random_state
from jobs.training.writing import opened, written
from studio_core import rewards
from studio_core.data.chat_format import ChatFormat
from studio_core.generation.sampling import Sampling
from studio_core.methods.rollouts import RolloutOptions, rewards_of
from studio_core.runs.rollouts import Rollout, RolloutWriter
from studio_core.runs.spec import RewardChoice, RunSpec

_BUFFER = "rollouts.pt"
"""In a checkpoint: answers that are not learnt from as often as they are to be."""


def rows(run: RunSpec, options: RolloutOptions, chat: ChatFormat) -> Prepared:
    """Columns ``prompt`` (the text of its last turn), ``prompt_ids`` and ``record`` (JSON), for the rewards."""
    count = Count()
    for record, ids in prompt_records(run, chat):
        row = {
            "prompt_text": record["prompt"][-1]["content"],
            "prompt_ids": ids,
            "record_text": json.dumps(record, ensure_ascii=False, default=str),
        }
        count.keep(row, len(ids) < options.max_length)
    return split(run, options, count, lambda row: len(row["prompt_ids"]))


def functions(course: Course[Any]) -> list[Callable[..., list[float | None]]]:
    """The rewards of a run as TRL calls them. One that raises has no say of that answer: told once, and counted."""
    choices = rewards_of(course.run.spec)
    names = [choice.name for choice in choices]
    # TRL keeps what a reward says by its name, so that the second of one name needs another.
    earlier = [names[:place].count(name) for place, name in enumerate(names)]
    return [
        _function(choice, f"{choice.name}-{before + 1}" if before else choice.name, course)
        for choice, before in zip(choices, earlier, strict=True)
    ]


def _function(choice: RewardChoice, name: str, course: Course[Any]) -> Callable[..., list[float | None]]:
    score, told = rewards.score(choice.name, choice.options), False

    def reward(
        prompts: list[str], completions: list[str], record_text: list[str], log_metric: Any, **_: Any
    ) -> list[float | None]:
        nonlocal told
        values: list[float | None] = []
        for prompt, answer, record in zip(prompts, completions, record_text, strict=True):
            try:
                value = float(score(prompt, answer, json.loads(record)))
            except Exception as error:  # A reward must not end a run; how often it had no say is a metric.
                value = math.nan
                if not told:
                    said = {"reward": name, "error": f"{type(error).__name__}: {error}"[:200]}
                    course.events.write(
                        "notice", level="warning", key="methods.notice.reward_failed", values=said
                    )
                told = True
            values.append(value if math.isfinite(value) else None)
        log_metric(f"rewards/{name}/unscored", values.count(None) / len(values))
        return values

    reward.__name__ = name
    return reward


class Rollouts:
    """Stands before a trainer of TRL's that writes answers and learns from their rewards (GRPO, RLOO)."""

    def __init__(self, *args: Any, course: Course[Any], **given: Any) -> None:
        self._course = course
        self._asked: list[dict[str, Any]] = []
        self._tokens: list[tuple[int, bool]] = []
        self._kept = RolloutWriter(course.run_dir, course.options.rollouts_kept)
        self._random = random_state()
        super().__init__(*args, **given)
        self.add_callback(_Places(self))  # type: ignore[attr-defined]

    def train(self, *args: Any, **given: Any) -> Any:
        try:
            return super().train(*args, **given)  # type: ignore[misc]
        except StepGivenUp:
            self._end_with_the_last_step()

    def _end_with_the_last_step(self) -> None:
        """A checkpoint of the last whole step, as if the run had been asked to end there."""
        if self.state.global_step:  # type: ignore[attr-defined]
            set_random_state(self._random)
            self._save_checkpoint(self.model, trial=None)  # type: ignore[attr-defined]
            self.callback_handler.on_save(self.args, self.state, self.control)  # type: ignore[attr-defined]

    def _tokenize_prompts(self, prompts: list[Any]) -> tuple[list[list[int]], None, dict[str, Any]]:
        return [row["prompt_ids"] for row in self._asked], None, {}

    def _generate_single_turn(self, prompt_ids: list[list[int]], *_: Any, **__: Any) -> tuple[Any, None]:
        options = self._course.options
        model = self.accelerator.unwrap_model(self.model)  # type: ignore[attr-defined]
        # Held-out prompts are answered with the same random numbers each time.
        step = self.state.global_step + 1 if model.training else 0  # type: ignore[attr-defined]
        sampling = Sampling(temperature=options.temperature, top_p=1.0, max_tokens=options.max_new_tokens)
        answers = written(self._course, opened(self._course, model), prompt_ids, sampling, step)
        self._tokens = [(len(row.tokens), row.reason == "stop") for row in answers]
        return [row.tokens for row in answers], None

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self._asked = inputs
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)  # type: ignore[misc]
        if self.model.training:  # type: ignore[attr-defined]
            self._keep(len(inputs))
        return output

    def _keep(self, count: int) -> None:
        """Write down the answers of a step, and tell how many groups have nothing to learn from."""
        logs = self._logs  # type: ignore[attr-defined]
        parts = {name: list(values)[-count:] for name, values in logs["rewards"].items()}
        weights = dict(zip(self.reward_func_names, self.reward_weights.tolist(), strict=True))  # type: ignore[attr-defined]
        columns = [list(logs[name])[-count:] for name in ("prompt", "completion", "advantages")]
        made: list[Rollout] = []
        for place, (prompt, answer, advantage) in enumerate(zip(*columns, strict=True)):
            own = {name: _number(values[place]) for name, values in parts.items()}
            said = [weights[name] * value for name, value in own.items() if value is not None]
            tokens, ended = self._tokens[place]
            made.append(
                Rollout(
                    step=self.state.global_step + 1,  # type: ignore[attr-defined]
                    prompt=prompt,
                    answer=answer,
                    rewards=own,
                    reward=round(sum(said), 6) if said else None,  # The weights are 32-bit numbers.
                    advantage=advantage,
                    tokens=tokens,
                    ended=ended,
                )
            )
        self._kept.write(made)
        for name, share in groups(made, self._course.options.num_generations).items():
            self._metrics["train"][name].append(share)  # type: ignore[attr-defined]

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)  # type: ignore[misc]
        if getattr(self, "num_iterations", 1) > 1:
            folder = Path(self._get_output_dir(trial), f"checkpoint-{self.state.global_step}")  # type: ignore[attr-defined]
            torch.save(self._buffered_inputs, folder / _BUFFER)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)  # type: ignore[misc]
        if (file := Path(resume_from_checkpoint, _BUFFER)).is_file():
            device = self.accelerator.device  # type: ignore[attr-defined]
            self._buffered_inputs = torch.load(file, weights_only=True, map_location=device)


def groups(rollouts: list[Rollout], size: int) -> dict[str, float]:
    """Shares of the groups whose answers are all worth the same, so that nothing is learnt from them.

    ``groups/all_best``: at the highest reward of these rollouts; ``groups/all_worst``: at the lowest, if another.
    """
    values = [one["reward"] for one in rollouts]
    parted = [{*values[start : start + size]} for start in range(0, len(values), size)]
    known = [value for value in values if value is not None]
    best, worst = max(known, default=0.0), min(known, default=0.0)
    alike = [value for group in parted if len(group) == 1 for value in group if value is not None]
    return {
        "groups/alike": len(alike) / len(parted),
        "groups/all_best": sum(value == best for value in alike) / len(parted),
        "groups/all_worst": sum(value == worst < best for value in alike) / len(parted),
    }


class _Places(TrainerCallback):
    """Where a resumed run goes on, and what would be drawn at random after each step."""

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._trainer._step = state.global_step * args.gradient_accumulation_steps

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._trainer._random = random_state()


def dataset(rows: Dataset) -> Dataset:
    """The columns under the names that TRL reads."""
    return rows.rename_columns({"prompt_text": "prompt"})


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
