"""The parts that models play in a training: which of them learn, and what passes through each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from studio_core.base.errors import BadInput
from studio_core.data import tokenized
from studio_core.runs.spec import ResolvedModel, RoleName
from studio_core.texts import Key


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
    same_tokens: bool = False
    """Whether it must read and write the tokens of the model that learns, which it is compared with one by one."""
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


def other_tokens(role: Role, model: ResolvedModel, policy: ResolvedModel) -> BadInput | None:
    """Why a model cannot be compared with the one that learns, token by token; None if it can."""
    odd = tokenized.odd_token(policy, model)
    if odd is None:
        return None
    return BadInput(
        "train.role_other_tokens", role=role.name, model=model.name, policy=policy.name, token=odd
    )
