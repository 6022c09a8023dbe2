"""What TRL's trainers of rewards are given here: prompts as our templates write them, answers by our decoding loop,
rewards of the studio, and an end in the middle of a rollout.

TRL's own generation is ``generate``, which keeps computing rows that have ended and hears no signal.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from trl.trainer.utils import add_fused_lm_head

from jobs.generation.trajectories import Trajectory
from jobs.training.answer_rewards import AnswerReward, answer_rewards, mean_of, total
from jobs.training.course import Course
from jobs.training.data import Count, Prepared, prompt_records, split
from jobs.training.groups import Groups
from jobs.training.loading import load_model, needs_checkpointing, new_adapter
from jobs.training.loop import StepGivenUp
from jobs.training.reporting import random_state, set_random_state
from jobs.training.token_figures import TokenRecorder
from jobs.training.turns import Turns
from jobs.training.writing import opened
from studio_core.base.errors import BadInput
from studio_core.data.chat_format import ChatFormat
from studio_core.data.shapes import Record
from studio_core.generation.sampling import Sampling
from studio_core.methods.rollouts import RolloutOptions, rewards_of
from studio_core.runs.rollouts import Rollout, RolloutWriter, asked_before
from studio_core.runs.spec import RunSpec

_BUFFER = "rollouts.pt"
"""In a checkpoint: answers that are not learnt from as often as they are to be."""


def rows(run: RunSpec, options: RolloutOptions, chat: ChatFormat) -> Prepared:
    """Columns ``prompt`` (the text of its last turn), ``prompt_ids`` and ``record`` (JSON), for the rewards."""
    count = Count()
    for record, ids in prompt_records(run, chat, options.told_tools):
        count.keep(row_of(record, ids), len(ids) < options.max_length)
    return split(run, options, count, lambda row: len(row["prompt_ids"]))


def row_of(record: Record, prompt: list[int]) -> dict[str, Any]:
    """One of these; ``prompt`` are the tokens of the record's prompt."""
    return {
        "prompt_text": record["prompt"][-1]["content"],
        "prompt_ids": prompt,
        "record_text": json.dumps(record, ensure_ascii=False, default=str),
    }


def functions(course: Course[Any]) -> list[Callable[..., list[float | None]]]:
    """The rewards of a run as TRL calls them."""
    return [*map(_function, answer_rewards(course))]


def _function(reward: AnswerReward) -> Callable[..., list[float | None]]:
    def asked(
        prompts: list[str],
        completions: list[str],
        record_text: list[str],
        log_metric: Any,
        log_extra: Any,
        **_: Any,
    ) -> list[float | None]:
        values = reward(prompts, completions, record_text)
        log_metric(f"rewards/{reward.name}/unscored", values.count(None) / len(values))
        for name, scores in reward.criteria.items():
            log_metric(f"rewards/{name}/mean", mean_of(scores))
            log_extra(name, scores)
        for name, value in reward.figures.items():
            log_metric(name, value)
        return values

    asked.__name__ = reward.name
    return asked


class Rollouts:
    """Stands before a trainer of TRL's that writes answers and learns from their rewards (GRPO, RLOO)."""

    def __init__(self, *args: Any, course: Course[Any], **given: Any) -> None:
        self._course = course
        self._asked: list[dict[str, Any]] = []
        environment = course.options.chosen_environment
        self._turns = Turns(course, environment, course.options.max_turns)
        self._by_turns = environment is not None
        self._written: list[Trajectory] = []
        self._kept = RolloutWriter(course.run_dir, course.options.rollouts_kept)
        self._by_token = TokenRecorder(course)
        self._seen: tuple[torch.Tensor, torch.Tensor] | None = None
        self._groups = Groups(rewards_of(course.run.spec), course.options.num_generations)
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
        self._written = self._turns.write(opened(self._course, model), prompt_ids, sampling, step)
        return [text.tokens for text in self._written], None

    def _calculate_rewards(
        self, inputs: Any, prompts: list[str], completions: list[str], completion_ids: Any
    ) -> Any:
        # Rewards judge what the model said last: a number in a result is no answer.
        answers = [text.answer for text in self._written]
        return super()._calculate_rewards(inputs, prompts, answers, completion_ids)  # type: ignore[misc]

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self._asked = inputs
        weights = self.reward_weights  # type: ignore[has-type]
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)  # type: ignore[misc]
        self.reward_weights = weights
        if self._by_turns:
            self._tell_calls()
        if self.model.training:  # type: ignore[attr-defined]
            self._keep(len(inputs))
            # They are shuffled and parted: by this each is known again.
            output["place"] = torch.arange(len(inputs), device=output["completion_ids"].device)
        return output

    def _get_per_token_logps_and_entropies(self, *args: Any, **given: Any) -> Any:
        likely = super()._get_per_token_logps_and_entropies(*args, **given)  # type: ignore[misc]
        if given.get("compute_entropy"):
            self._seen = likely[0].detach(), likely[1].detach()
        return likely

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Any:
        loss = super()._compute_loss(model, inputs)  # type: ignore[misc]
        parts, times = self.args.steps_per_generation, self.num_iterations  # type: ignore[attr-defined]
        if "place" in inputs and self._step // parts % times == times - 1:  # type: ignore[attr-defined]
            self._tell_tokens(inputs)
        return loss

    def _tell_tokens(self, inputs: dict[str, Any]) -> None:
        """Write down what the last update from some answers made of their tokens."""
        assert self._seen is not None
        now, entropies = self._seen
        mask = inputs["completion_mask"].bool()
        if "tool_mask" in inputs:  # What an environment wrote was not the model's to say.
            mask &= inputs["tool_mask"].bool()
        before = inputs.get("old_per_token_logps")
        drift = None if before is None else now - before
        if self.num_iterations > 1 and "old_logps" in inputs:  # type: ignore[attr-defined]
            # RLOO knows one ratio for an answer.
            drift = ((now * mask).sum(1) - inputs["old_logps"])[:, None].expand_as(now)
        for row, place in enumerate(inputs["place"].tolist()):
            tokens = inputs["completion_ids"][row][mask[row]].tolist()
            if self._by_token.wants(place) and tokens:  # None where answers that were cut are left out.
                figures = {"entropy": entropies[row][mask[row]].tolist()}
                if drift is not None:
                    figures["ratio"] = drift[row][mask[row]].exp().tolist()
                self._by_token.write(place, tokens, figures)

    def _tell_calls(self) -> None:
        """Under the names that TRL has for it."""
        metrics = self._metrics["train" if self.model.training else "eval"]  # type: ignore[attr-defined]
        calls = sum(text.calls for text in self._written)
        metrics["tools/call_frequency"].append(calls / len(self._written))
        metrics["tools/failure_frequency"].append(sum(text.failed for text in self._written) / max(1, calls))

    def _keep(self, count: int) -> None:
        """Write down the answers of a step, and tell how many groups have nothing to learn from."""
        logs = self._logs  # type: ignore[attr-defined]
        parts = {name: list(values)[-count:] for name, values in logs["rewards"].items()}
        weights = dict(zip(self.reward_func_names, self.reward_weights.tolist(), strict=True))  # type: ignore[attr-defined]
        # What the value of a reward is made of, which is no part of the sum.
        criteria = {name: list(values)[-count:] for name, values in logs["extra"].items()}
        columns = [list(logs[name])[-count:] for name in ("prompt", "advantages")]
        made: list[Rollout] = []
        for place, (prompt, advantage) in enumerate(zip(*columns, strict=True)):
            own = {name: _number(values[place]) for name, values in parts.items()}
            text = self._written[place]
            turns: dict[str, Any] = {"turns": text.turns} if self._by_turns else {}
            made.append(
                Rollout(
                    step=self.state.global_step + 1,  # type: ignore[attr-defined]
                    prompt=prompt,
                    answer=text.answer,
                    rewards=own | {name: values[place] for name, values in criteria.items()},
                    reward=total(own, weights),
                    advantage=advantage,
                    tokens=text.own_tokens,
                    ended=text.ended,
                    **turns,
                    **asked_before(json.loads(self._asked[place]["record_text"])),
                )
            )
        worth = [one["reward"] for one in made]
        # Not that of rewards that were divided by their spreads, which means something else in each step.
        self._metrics["train"]["reward"][-1] = mean_of(worth)  # type: ignore[attr-defined]
        self._by_token.expect(self._kept.write(made), worth)
        for name, share in self._groups.shares(worth).items():
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


def carry_out(course: Course[Any], trainer_class: Any, config: Any, settings: Mapping[str, Any]) -> None:
    """Model, prompts, trainer, answers before, training, answers after, result."""
    model = load_model(course.run, course.machine, course.team.sharded)
    course.events.write("phase", phase="preparing")
    data = course.data(rows)
    trainer = trainer_of(course, model, data, trainer_class, config, settings)
    course.train(trainer, data)
    course.save(trainer)


def trainer_of(
    course: Course[Any],
    model: Any,
    data: Prepared,
    trainer_class: Any,
    config: Any,
    settings: Mapping[str, Any],
) -> Any:
    """A trainer of TRL's with our rollouts, and its reference.

    ``settings`` are the options by TRL's names; ``beta``, which a reference is needed for, is not among them.
    """
    run, options = course.run, course.options
    if len(data.train) < options.prompts_of_step:
        raise BadInput("methods.rollouts.few_prompts", rows=len(data.train), wanted=options.prompts_of_step)
    # Under an adapter the frozen weights are the reference. TRL would load a second model by its name, in its own way.
    separate = course.tuning.whole and options.beta > 0
    reference = copy.deepcopy(model).requires_grad_(False) if separate else None
    trainer = trainer_class(
        course=course,
        model=model,
        reward_funcs=functions(course),
        args=config(
            **course.arguments(data),
            gradient_checkpointing=needs_checkpointing(run, options, data.train, course.machine),
            beta=0.0 if separate else options.beta,
            reward_weights=[choice.weight for choice in rewards_of(run.spec)],
            num_generations=options.num_generations,
            num_generations_eval=1,  # Held-out prompts are answered once: their reward is a mean over prompts.
            max_completion_length=options.max_new_tokens,
            temperature=options.temperature,
            **settings,
        ),
        train_dataset=dataset(data.train),
        eval_dataset=dataset(data.held_out) if data.held_out is not None else None,
        processing_class=course.tokenizer,
        peft_config=new_adapter(run, options, model),
    )
    if reference is not None:
        add_fused_lm_head(reference, temperature=options.temperature)  # As the trainer does with the model.
        trainer.ref_model = trainer.accelerator.prepare_model(reference, evaluation_mode=True)
        trainer.beta = options.beta
    return trainer


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
