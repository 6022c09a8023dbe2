"""What a training method is: the data it takes, its options, its presets, what to plot.

A method's options are one pydantic class. From it come the form, the validation, the
documentation and the spec's ``options``; there is no second description of any of them.
Title and help of an option are texts of the catalogue: ``methods.<method>.<option>`` and
``....help``, or ``methods.option.<option>`` where several methods share it.
"""

from __future__ import annotations

import importlib.util
import json
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError
from pydantic.fields import FieldInfo

from studio_core import texts
from studio_core.data.shapes import Shape
from studio_core.errors import BadInput
from studio_core.spec import Tuning
from studio_core.validation import complaint

PRESETS = ("quick", "balanced", "thorough")

Kind = Literal["int", "float", "bool", "choice", "choices", "text", "prompt", "numbers", "json"]
"""``prompt`` is a text of several lines, ``numbers`` a list, ``json`` whatever has no form of its own."""

ChoicesOf = Literal["", "models", "reward_models", "services", "datasets", "columns", "languages", "findings"]
"""What a form offers for an option whose choices are known only then and there."""


@dataclass(frozen=True)
class Chart:
    """Metrics that belong on one set of axes. Its title is ``methods.chart.<name>``."""

    name: str
    metrics: tuple[str, ...]
    names: Mapping[str, str] = field(default_factory=dict)
    """What metrics are called that mean something else here than elsewhere."""

    @property
    def title_key(self) -> str:
        return f"methods.chart.{self.name}"

    def label_key(self, metric: str) -> str:
        return f"methods.metric.{self.names.get(metric, metric)}"


@dataclass(frozen=True)
class Method:
    name: str
    title_key: str
    shapes: tuple[Shape, ...]
    tunings: tuple[Tuning, ...]
    Options: type[BaseModel]
    presets: Callable[[str, Tuning, int], dict[str, Any]]
    """``(preset, tuning, parameters of the base model)`` -> options that differ from the defaults."""
    charts: tuple[Chart, ...]
    sequences: int = 1
    """Sequences that learn, of each row."""
    reference: bool = False
    """Whether the model as it was is kept beside the one that learns."""
    forward_passes: int = 0
    """Passes without gradient for each that learns: of the reference, or to measure."""
    writes: bool = True
    """Whether the model that it makes writes answers; else it scores them."""

    @property
    def help_key(self) -> str:
        return f"{self.title_key}.help"

    def nearest(self, tuning: str) -> Tuning:
        """That way of tuning, or the one offered that is most like it: LoRA in place of QLoRA."""
        return next((known for known in self.tunings if known == tuning), self.tunings[-1])


@dataclass(frozen=True)
class OptionField:
    """One option, as a form or a reference needs it."""

    name: str
    kind: Kind
    unit: str
    """A word such as ``tokens``, whose translation is ``methods.unit.<unit>``; empty if it has none."""
    minimum: float | None
    maximum: float | None
    default: Any
    choices: tuple[str, ...]
    advanced: bool
    tunings: tuple[Tuning, ...]
    """Tunings under which the option has an effect."""
    title_key: str
    choices_of: ChoicesOf = ""

    @property
    def help_key(self) -> str:
        return f"{self.title_key}.help"

    def choice_key(self, choice: str) -> str:
        """The text of a choice: ``<title>.<choice>``; there may be none, then the choice says it itself."""
        return f"{self.title_key}.{choice}"


def option(
    default: Any,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    unit: str = "",
    advanced: bool = True,
    tunings: tuple[Tuning, ...] = ("full", "lora", "qlora"),
    kind: Kind | None = None,
    choices_of: ChoicesOf = "",
) -> Any:
    """An option: its default with range, unit and place in the form. ``kind`` is told by its type, if not given."""
    extra: dict[str, Any] = {
        "unit": unit,
        "advanced": advanced,
        "tunings": list(tunings),
        "kind": kind or "",
        "choices_of": choices_of,
    }
    finite = False if isinstance(default, float) else None
    return Field(default=default, ge=at_least, le=at_most, allow_inf_nan=finite, json_schema_extra=extra)


def fields(method: Method) -> list[OptionField]:
    """The options of a method in the order in which a form shows them."""
    known = method.Options.model_fields.items()
    return [
        field_of(f"methods.{method.name}.{name}", f"methods.option.{name}", name, info)
        for name, info in known
    ]


def field_of(own: str, shared: str, name: str, info: FieldInfo) -> OptionField:
    """An option as a form needs it; its title is the text ``own``, else ``shared``."""
    kind, choices = _kind(info.annotation)
    extra: dict[str, Any] = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    bounds = {
        bound: getattr(rule, bound)
        for rule in info.metadata
        for bound in ("ge", "le")
        if hasattr(rule, bound)
    }
    return OptionField(
        name=name,
        kind=extra.get("kind") or kind,
        unit=extra.get("unit", ""),
        minimum=bounds.get("ge"),
        maximum=bounds.get("le"),
        default=info.get_default(call_default_factory=True),
        choices=choices,
        advanced=extra.get("advanced", True),
        tunings=tuple(extra.get("tunings", ())),
        title_key=own if own in texts.catalogue(texts.DEFAULT_LANGUAGE) else shared,
        choices_of=extra.get("choices_of", ""),
    )


def _kind(annotation: Any) -> tuple[Kind, tuple[str, ...]]:
    if get_origin(annotation) is Literal:
        return "choice", get_args(annotation)
    if get_origin(annotation) in (list, tuple):
        item = get_args(annotation)[0]
        if item in (int, float):
            return "numbers", ()
        return "json" if get_origin(item) is dict else "choices", get_args(item) if get_origin(
            item
        ) is Literal else ()
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    kinds: dict[type, Kind] = {bool: "bool", int: "int", float: "float", str: "text"}
    return kinds[annotation], ()


def parsed(described: OptionField, text: str) -> Any:
    """The value of an option of kind ``numbers`` or ``json`` as a person writes it; raises ``BadInput``."""
    if described.kind == "json":
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadInput(
                "methods.not_json", option=described.name, value=text[:80], reason=error
            ) from error
    try:
        return [float(part) for part in text.replace(",", " ").split()]
    except ValueError as error:
        raise BadInput("methods.not_numbers", option=described.name, value=text[:80]) from error


def written(described: OptionField, value: Any) -> Any:
    """The other way round: a value as a text that ``parsed`` takes."""
    if described.kind == "json":
        return json.dumps(value, ensure_ascii=False) if value else ""
    return " ".join(f"{number:g}" for number in value or [])


def validated(
    method: Method, preset: str, tuning: str, parameters: int, changes: dict[str, Any] | None = None
) -> BaseModel:
    """The options of a run: the preset for this tuning and size of model, with the user's changes.

    ``parameters`` is the size of the base model. Raises ``BadInput`` that quotes the option, its
    value and its range.
    """
    if preset not in PRESETS:
        raise BadInput("methods.unknown_preset", preset=preset, known=", ".join(PRESETS))
    known_tuning = next((known for known in method.tunings if known == tuning), None)
    if known_tuning is None:
        raise BadInput(
            "methods.unknown_tuning", tuning=tuning, method=method.name, known=", ".join(method.tunings)
        )
    changes = changes or {}
    if unknown := next((name for name in changes if name not in method.Options.model_fields), None):
        raise BadInput(
            "methods.unknown_option",
            option=unknown,
            method=method.name,
            known=", ".join(method.Options.model_fields),
        )
    try:
        return method.Options(**{**method.presets(preset, known_tuning, parameters), **changes})
    except ValidationError as error:
        raise _refused(method, error) from error


def _refused(method: Method, error: ValidationError) -> BadInput:
    first = complaint(error)
    name, value = first.path[0], first.value
    field = next(field for field in fields(method) if field.name == name)
    if first.type in ("greater_than_equal", "less_than_equal", "finite_number"):
        return BadInput(
            "methods.out_of_range",
            option=name,
            value=value,
            minimum=short(field.minimum),
            maximum=short(field.maximum),
        )
    if field.kind in ("choice", "choices"):
        return BadInput("methods.not_a_choice", option=name, value=value, known=", ".join(field.choices))
    return BadInput(f"methods.not_{field.kind}", option=name, value=value)


def short(bound: float | None) -> str:
    return "" if bound is None else f"{bound:g}" if abs(bound) < 1e6 else str(int(bound))


def four_bit_problem() -> BadInput | None:
    """Why QLoRA cannot work on this machine, or None. Asked before the run and again by the worker."""
    if importlib.util.find_spec("bitsandbytes") is None:
        return BadInput("methods.no_four_bit")
    return None
