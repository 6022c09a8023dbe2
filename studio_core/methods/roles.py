"""The parts that models play in a training: which of them learn, and what passes through each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from studio_core.base.errors import BadInput
from studio_core.data import tokenized
from studio_core.runs.spec import ResolvedModel, RoleName
from studio_core.texts import Key


@dataclass(frozen=True)
class Comparison:
    """What is held on a CPU while distributions over the whole vocabulary are compared with those of the model that
    learns: of both models, and of all that their gradient needs."""

    each: int
    """Bytes for each token and vocabulary entry (measured; docs/memory.md)."""
    at_once: int = 0
    """Most of these that are there together; 0: all of a batch."""


@dataclass(frozen=True)
class Role:
    name: RoleName
    learns: bool = False
    output: Literal["words", "score"] = "words"
    sequences: int = 1
    """Sequences of each row that pass through it."""
    passes: int = 0
    """Forward passes without gradient, for each sequence that learns."""
    begins_as: RoleName | None = None
    """The role of whose model this is what it was before the training. It is copied where every weight learns; under an
    adapter the frozen weights are that model already."""
    compared: bool = False
    """Whether it is asked about each token of the model that learns; if its tokens are others, about their text."""
    comparison: Comparison | None = None
    """What its distributions take while they are compared; None if it only says how likely the tokens were."""
    eager: bool = False
    """Whether its attention is written out, so that the weight of every token for every other one is kept."""
    in_turn: bool = False
    """Whether it learns apart from the policy, as large as itself: its activations are gone before those come to be."""
    optional: bool = False
    """Whether a run can do without it."""
    unless_zero: str = ""
    """The option that is 0 in a run that does without it."""

    def takes_part(self, options: BaseModel | None) -> bool:
        """Whether a run with these options has it."""
        return not self.unless_zero or options is None or bool(getattr(options, self.unless_zero))


def missing(role: Role, method: str) -> BadInput:
    """That a run of the method lacks the model of a role."""
    title = Key(f"train.role.models.{role.name}")
    return BadInput("train.role_missing", role=role.name, role_title=title, method=method)


def other_tokens(model: ResolvedModel, policy: ResolvedModel) -> dict[str, Any] | None:
    """What ``train.role_other_tokens`` says of a model that has not the tokens of the one that learns; None if it has.

    Raises ``BadInput`` if the tokenizer of either cannot be read.
    """
    shared = tokenized.shared_tokens(policy, model)
    return None if shared is None else {"model": model.name, "policy": policy.name, "shared": shared}
