"""Values of options: checked against their declaration, read from what a person writes, and written again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from studio_core.base.errors import BadInput
from studio_core.base.validation import complaint
from studio_core.options.declaration import OptionField, fields

Options = TypeVar("Options", bound=BaseModel)

_OUT_OF_RANGE = ("greater_than_equal", "less_than_equal", "finite_number")


def checked(options: type[Options], values: Mapping[str, Any], owner: str, areas: Sequence[str]) -> Options:
    """The values as ``options`` of ``owner`` (a method, an operation ...), defaults where none is given.

    Raises ``BadInput`` that quotes the option, its value and its range. ``areas`` as in ``fields``.
    """
    try:
        return options(**values)
    except ValidationError as error:
        # What nobody knows is said first: it may be another option misspelt.
        unknown = next((each["loc"][0] for each in error.errors() if each["type"] == "extra_forbidden"), None)
        if unknown is not None:
            known = ", ".join(options.model_fields) or "-"
            raise BadInput("options.unknown", option=unknown, owner=owner, known=known) from error
        raise _refusal(fields(options, areas), owner, error) from error


def _refusal(known: list[OptionField], owner: str, error: ValidationError) -> BadInput:
    first = complaint(error)
    if isinstance(first.raised, BadInput):
        return first.raised
    name, value = (*first.path, "")[0], first.value
    field = next((field for field in known if field.name == name), None)
    if field is None:
        return BadInput("options.conflict", owner=owner, reason=first.reason)
    if first.type in _OUT_OF_RANGE:
        minimum, maximum = short(field.minimum), short(field.maximum)
        return BadInput("options.out_of_range", option=name, value=value, minimum=minimum, maximum=maximum)
    if field.kind in ("choice", "choices"):
        return BadInput("options.not_a_choice", option=name, value=value, known=", ".join(field.choices))
    if field.kind in ("int", "float", "bool"):
        return BadInput(f"options.not_{field.kind}", option=name, value=value)
    return BadInput("options.invalid", option=name, value=value, reason=first.reason)


def short(bound: float | None) -> str:
    """A bound as people write it: ``1e-08``, ``1000``; empty if there is none."""
    return "" if bound is None else f"{bound:g}" if abs(bound) < 1e6 else str(int(bound))


def parsed(field: OptionField, text: str) -> Any:
    """The value of an option of kind ``numbers`` or ``json`` as a person writes it; raises ``BadInput``."""
    if field.kind == "json":
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadInput("options.not_json", option=field.name, value=text[:80], reason=error) from error
    try:
        return [float(part) for part in text.replace(",", " ").split()]
    except ValueError as error:
        raise BadInput("options.not_numbers", option=field.name, value=text[:80]) from error


def written(field: OptionField, value: Any) -> str:
    """The other way round: a value as a text that ``parsed`` takes."""
    if field.kind == "json":
        return json.dumps(value, ensure_ascii=False) if value else ""
    return " ".join(f"{number:g}" for number in value or [])
