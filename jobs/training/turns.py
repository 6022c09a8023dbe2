"""Answers over several turns while a model learns: drawn by the run's seed, the step, the place in it and the turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jobs.generation.lane import Row
from jobs.generation.models import Opened
from jobs.generation.trajectories import Exchange, Trajectory
from jobs.training.course import Course
from jobs.training.writing import row_to_write, write
from studio_core.environments.base import Environment
from studio_core.generation.sampling import Sampling


class Turns:
    """Writes trajectories by turns with an environment; without one, a single turn."""

    def __init__(self, course: Course[Any], environment: Environment | None, max_turns: int) -> None:
        self._course = course
        longest = course.options.max_length
        self._exchange = Exchange(course.chat, course.tokenizer, environment, max_turns, longest)

    def write(
        self, writer: Opened, prompts: list[list[int]], sampling: Sampling, step: int
    ) -> list[Trajectory]:
        """One for each prompt. ``sampling.max_tokens`` is the limit of all turns together, results counted.

        Raises ``StepGivenUp`` if the run is asked to end meanwhile.
        """

        def draw(going: Sequence[tuple[int, Trajectory]], turn: int) -> list[Row]:
            rows = [
                row_to_write(self._course, writer, text.ids, _left(text, sampling), step, place, turn)
                for place, text in going
            ]
            return write(self._course, rows)

        return self._exchange.write(prompts, sampling.max_tokens, draw)


def _left(text: Trajectory, sampling: Sampling) -> Sampling:
    return sampling.model_copy(update={"max_tokens": sampling.max_tokens - len(text.tokens)})
