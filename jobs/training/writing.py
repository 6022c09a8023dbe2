"""Answers that are written while a model is trained: by the model itself, or by its teacher.

What is drawn depends on the run's seed, the step and the place in the step only: a resumed run need not remember it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import torch

from jobs.generation.decoding import advance
from jobs.generation.lane import Row, left_padded
from jobs.generation.models import Base, Opened
from jobs.generation.stopping import Stops
from jobs.training.course import Course
from jobs.training.loop import StepGivenUp
from jobs.training.other_tokens import Group
from studio_core.generation.sampling import Sampling


@dataclass(frozen=True)
class Written:
    """A text that is learnt from: its tokens, and which of them an answer consists of."""

    ids: list[int]
    answer: list[bool]
    ended: bool = True
    """Whether its writer ended it, and not the limit."""
    replayed: bool = False
    """Whether its own tokens are learnt, and no teacher is asked."""
    teacher: Written | None = None
    """The same text as a teacher with tokens of its own has it."""
    groups: tuple[Group, ...] = ()
    """Tokens of both answers that are the same piece of text."""

    @classmethod
    def after(cls, prompt: list[int], answer: list[int], ended: bool) -> Written:
        return cls(prompt + answer, [False] * len(prompt) + [True] * len(answer), ended)

    @property
    def begin(self) -> int:
        """Where the first answer begins; behind the last token if there is none that can be spelled."""
        return self.answer.index(True) if any(self.answer) else len(self.ids)

    @property
    def answers(self) -> list[list[int]]:
        """The tokens of each answer: a conversation may have several."""
        parts = groupby(zip(self.ids, self.answer, strict=True), key=itemgetter(1))
        return [[token for token, _ in part] for answer, part in parts if answer]

    @property
    def compared(self) -> int:
        """How much there is to compare: tokens, or groups of tokens."""
        return len(self.groups) if self.teacher else sum(self.answer)


def opened(course: Course[Any], model: Any) -> Opened:
    """A model that writes with the tokenizer of the one that learns; its passes leave out what its architecture does
    not take."""
    base = Base(("training",), model, model.device, without_gradients=torch.no_grad)
    stops = Stops.of(model, course.tokenizer)
    return Opened(course.run.model.name, base, None, True, course.tokenizer, course.chat, stops)


def row_to_write(
    course: Course[Any],
    writer: Opened,
    prompt: list[int],
    sampling: Sampling,
    step: int,
    place: int,
    turn: int = 0,
) -> Row:
    """An answer in the making: of that step, place in it and turn. No text becomes longer than ``max_length``."""
    room = min(sampling.max_tokens, course.options.max_length - len(prompt))
    seed = (course.run.spec.seed * 1_000_003 + step) * 4099 + place + turn * _APART
    shorter = sampling.model_copy(update={"max_tokens": room})
    return Row(place, writer, prompt, shorter, seed % 2**63, streamed=False)


# The golden ratio in 64 bits: seeds of further turns lie far from those of all steps and places.
_APART = 0x9E3779B97F4A7C15


def write(course: Course[Any], rows: list[Row]) -> list[Row]:
    """The rows to their ends. Raises ``StepGivenUp`` if the run is asked to end meanwhile."""
    model = rows[0].model.base.model
    was_training = model.training
    model.eval()
    for _ in advance(rows, lambda: bool(course.stop)):
        pass
    model.train(was_training)
    if course.stop:
        raise StepGivenUp
    return rows


def written(
    course: Course[Any],
    writer: Opened,
    prompts: Sequence[list[int]],
    sampling: Sampling,
    step: int,
    first: int = 0,
) -> list[Row]:
    """An answer to each prompt, all ended; of the step's answers the first has that place.

    Raises ``StepGivenUp`` if the run is asked to end meanwhile.
    """
    places = enumerate(prompts, first)
    return write(course, [row_to_write(course, writer, ids, sampling, step, place) for place, ids in places])


def predicted(
    model: Opened, texts: Sequence[list[int]], learnt: Sequence[Sequence[bool]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """What predicts the tokens of some texts that are learnt, and these tokens, of all texts one behind the other.

    ``(tokens, vocabulary)`` logits in full precision, and ``(tokens,)``.
    """
    batch = Places(texts, learnt, model.base.device)
    # What a token is predicted by stands before it.
    output = model.base.forward([None] * len(texts), **batch.inputs, logits_to_keep=batch.kept + 1)
    return output.logits[:, -batch.kept - 1 : -1][batch.chosen].float(), batch.tokens


class Places:
    """Texts as one batch, padded on the left, and where in it the tokens stand that are learnt."""

    def __init__(
        self, texts: Sequence[list[int]], learnt: Sequence[Sequence[bool]], device: torch.device
    ) -> None:
        self.kept = max(1, *(len(flags) - [*flags, True].index(True) for flags in learnt))
        """So many of the last tokens of each text hold all that are learnt; of some there may be none."""
        ids, mask = left_padded([*texts], device)
        flags, _ = left_padded([[int(flag) for flag in row] for row in learnt], device)
        self.chosen = flags[:, -self.kept :].bool()
        """Which of these are learnt, ``(texts, kept)``."""
        self.tokens = ids[:, -self.kept :][self.chosen]
        self.inputs = {
            "input_ids": ids,
            "attention_mask": mask,
            "position_ids": (mask.cumsum(-1) - 1).clamp(min=0),
            "use_cache": False,
        }
