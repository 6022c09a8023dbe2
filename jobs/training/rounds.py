"""Rounds of a training by reinforcement whose steps are written out: prompts, answers, what these are worth.

    sampler = Sampler(course, model, data, answer_rewards(course))
    answers = sampler.answers(sampler.rows_of_round(3), 3)

What is drawn depends on the run's seed, the round and the place only: a resumed run need not remember it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, TypeVar

from datasets import Dataset

from jobs.training.answer_rewards import AnswerReward, mean_of, spreads, total
from jobs.training.course import Course
from jobs.training.data import Prepared
from jobs.training.loop import StepGivenUp, Values, rows_of_step
from jobs.training.token_figures import TokenRecorder
from jobs.training.writing import opened, written
from studio_core.base.errors import BadInput
from studio_core.generation.sampling import Sampling
from studio_core.methods.rollouts import RolloutOptions
from studio_core.runs.rollouts import Rollout, RolloutWriter, asked_before

Row = dict[str, Any]
Item = TypeVar("Item")


@dataclass(frozen=True)
class Answer:
    """What the model wrote to a prompt, and what rewards said of it."""

    row: Row
    """As ``rollouts.rows`` makes it."""
    tokens: list[int]
    """With the one that ends it, if it ended."""
    text: str
    ended: bool
    """Whether the model ended it, and not the limit."""
    parts: dict[str, float | None]
    """What each reward said, by its name; of a judge also each criterion."""
    reward: float | None
    """Their weighted sum; None if none could say."""
    scaled: float | None = None
    """The sum of them divided by their spreads, where that is asked for."""

    @property
    def worth(self) -> float | None:
        """What is learnt from."""
        return self.reward if self.scaled is None else self.scaled

    @property
    def ids(self) -> list[int]:
        """Prompt and answer."""
        return [*self.row["prompt_ids"], *self.tokens]

    @property
    def learnt(self) -> list[bool]:
        """Which of ``ids`` the answer consists of."""
        return [False] * len(self.row["prompt_ids"]) + [True] * len(self.tokens)


class Sampler:
    """Draws the answers of a model as it is now, has them scored, and keeps them."""

    def __init__(
        self,
        course: Course[Any],
        model: Any,
        data: Prepared,
        rewards: Sequence[AnswerReward],
    ) -> None:
        self._course, self._data, self.rewards = course, data, rewards
        self._options: RolloutOptions = course.options
        self._writer = opened(course, model)
        self._kept = RolloutWriter(course.run_dir, self._options.rollouts_kept)
        self.by_token = TokenRecorder(course)
        self._own = len(data.train) - data.replayed  # What is replayed stands behind all others.
        if self._own < self._options.prompts_of_step:
            raise BadInput(
                "methods.rollouts.few_prompts", rows=self._own, wanted=self._options.prompts_of_step
            )

    @property
    def rounds(self) -> int:
        """Of the whole run."""
        options = self._options
        return options.max_steps or math.ceil(options.epochs * options.steps_of_epoch(self._own))

    def rows_of_round(self, number: int) -> list[Row]:
        """The prompts of a round, each as often as it is answered."""
        options, seed = self._options, self._course.run.spec.seed
        # Only whole rounds: of each epoch's order what is left at its end is not asked.
        epoch, place = divmod(number - 1, options.steps_of_epoch(self._own))
        size = options.prompts_of_step
        step = epoch * -(-self._own // size) + place + 1
        # The first round has the longest prompts, so that memory runs out there or never.
        lengths = self._data.train["length"][: self._own]
        chosen = self._data.train.select(rows_of_step(step, self._own, size, seed, lengths)).to_list()
        return [row for row in chosen for _ in range(options.num_generations)]

    def answers(self, rows: Sequence[Row], number: int) -> list[Answer]:
        """An answer to each prompt, scored. Raises ``StepGivenUp`` if the run is asked to end meanwhile."""
        options, tokenizer = self._options, self._course.tokenizer
        sampling = Sampling(temperature=options.temperature, top_p=1.0, max_tokens=options.max_new_tokens)
        with self._course.machine.autocast():
            lines = [
                line
                for start in range(0, len(rows), options.batch_size)
                for line in written(
                    self._course,
                    self._writer,
                    [row["prompt_ids"] for row in rows[start : start + options.batch_size]],
                    sampling,
                    number,
                    start,
                )
            ]
        texts = [tokenizer.decode(line.tokens, skip_special_tokens=True) for line in lines]
        asked = [row["prompt_text"] for row in rows], texts, [row["record_text"] for row in rows]
        said = {reward.name: reward(*asked) for reward in self.rewards}
        criteria = {name: values for reward in self.rewards for name, values in reward.criteria.items()}
        weights = {reward.name: reward.weight for reward in self.rewards}
        # Held-out prompts have the plain sum, which means the same throughout a run.
        divided = spreads(said) if options.normalize_parts and number else {}
        scales = {name: weight / divided.get(name, 1.0) for name, weight in weights.items()}
        answers = []
        for place, (row, line, text) in enumerate(zip(rows, lines, texts, strict=True)):
            parts = {name: values[place] for name, values in said.items()}
            worth = total(parts, weights)
            scaled = total(parts, scales) if divided else None
            parts |= {name: values[place] for name, values in criteria.items()}
            answers.append(Answer(row, line.tokens, text, line.reason == "stop", parts, worth, scaled))
        return answers

    def keep(self, answers: Sequence[Answer], advantages: Sequence[float], number: int) -> None:
        """Write them down, for the run's page."""
        kept = [
            Rollout(
                step=number,
                prompt=answer.row["prompt_text"],
                answer=answer.text,
                rewards=answer.parts,
                reward=answer.reward,
                advantage=advantage,
                tokens=len(answer.tokens),
                ended=answer.ended,
                **asked_before(json.loads(answer.row["record_text"])),
            )
            for answer, advantage in zip(answers, advantages, strict=True)
        ]
        marks = self._kept.write(kept)
        self.by_token.expect(marks, [rollout["reward"] for rollout in kept])

    def watched(self, answers: Sequence[Answer]) -> dict[str, float]:
        """What is told of the answers of a round, under the names that TRL has for it."""
        values = {
            "reward": mean_of([answer.reward for answer in answers]),
            "completions/mean_length": fmean(len(answer.tokens) for answer in answers),
            "completions/clipped_ratio": fmean(not answer.ended for answer in answers),
        }
        for name in answers[0].parts:
            scores = [answer.parts[name] for answer in answers]
            values[f"rewards/{name}/mean"] = mean_of(scores)
            values[f"rewards/{name}/unscored"] = scores.count(None) / len(scores)
        for reward in self.rewards:
            values |= reward.figures
        return values

    def evaluate(self) -> Values:
        """The mean reward of held-out prompts, answered once each, always with the same random numbers."""
        if self._data.held_out is None:
            return {}
        try:
            answers = self.answers(_list(self._data.held_out), 0)
        except StepGivenUp:  # The loop hears of it in its next step.
            return {}
        reward = mean_of([answer.reward for answer in answers])
        # What is to become small, for those who look for where it turns (early stopping).
        return {"eval_reward": reward, "eval_loss": -reward}


def _list(rows: Dataset) -> list[Row]:
    return list(rows.to_list())


def batches(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    """As many together as fit."""
    return [items[start : start + size] for start in range(0, len(items), size)]
