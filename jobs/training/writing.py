"""Answers that are written while a model is trained: by the model itself, or by its teacher.

What is drawn depends on the run's seed, the step and the place in the step only: a resumed run need not remember it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from jobs.generation.decoding import Row, advance
from jobs.generation.models import Base, Opened
from jobs.generation.stopping import Stops
from jobs.training.course import Course
from jobs.training.loop import StepGivenUp
from studio_core.generation.sampling import Sampling


def opened(course: Course[Any], model: Any) -> Opened:
    """A model that writes with the tokenizer of the one that learns; its passes leave out what its architecture does
    not take."""
    base = Base(("training",), model, model.device, without_gradients=torch.no_grad)
    stops = Stops.of(model, course.tokenizer)
    return Opened(course.run.model.name, base, None, True, course.tokenizer, course.chat, stops)


def written(
    course: Course[Any],
    writer: Opened,
    prompts: Sequence[list[int]],
    sampling: Sampling,
    step: int,
    first: int = 0,
) -> list[Row]:
    """An answer to each prompt, all ended; of the step's answers the first has that place.

    No text becomes longer than the option ``max_length``. Raises ``StepGivenUp`` if the run is asked to end meanwhile.
    """
    rows = [
        Row(
            place,
            writer,
            prompt,
            sampling.model_copy(
                update={"max_tokens": min(sampling.max_tokens, course.options.max_length - len(prompt))}
            ),
            ((course.run.spec.seed * 1_000_003 + step) * 4099 + place) % 2**63,
        )
        for place, prompt in enumerate(prompts, first)
    ]
    model = writer.base.model
    was_training = model.training
    model.eval()
    for _ in advance(rows, lambda: bool(course.stop)):
        pass
    model.train(was_training)
    if course.stop:
        raise StepGivenUp
    return rows
