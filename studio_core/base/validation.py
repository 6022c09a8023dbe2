"""What pydantic finds wrong with values that a person gave, as one sentence that names the first of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from studio_core.base.errors import BadInput

Model = TypeVar("Model", bound=BaseModel)
# As much as fits into a line; a whole prompt in a sentence would hide the reason.
_SHOWN = 80
"""Characters of a value that are quoted."""


@dataclass(frozen=True)
class Complaint:
    """The first thing that is wrong with some values."""

    path: tuple[str, ...]
    """From the outermost field; empty if the values do not go together."""
    value: str
    reason: str
    type: str
    """As pydantic calls it, such as ``missing``."""
    raised: Exception | None
    """What a check of our own has raised."""

    @property
    def name(self) -> str:
        return ".".join(self.path)


def complaint(error: ValidationError) -> Complaint:
    first = error.errors(include_url=False)[0]
    return Complaint(
        path=tuple(map(str, first["loc"])),
        value=str(first["input"])[:_SHOWN],
        reason=first["msg"],
        type=first["type"],
        raised=first.get("ctx", {}).get("error"),
    )


def validate(model: type[Model], values: Mapping[str, Any], key: str) -> Model:
    """The values as ``model``; raises ``BadInput`` whose sentence ``key`` says name, value and reason."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = complaint(error)
        raise BadInput(key, name=first.name, value=first.value, reason=first.reason) from error
