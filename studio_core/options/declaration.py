"""An option's declaration, and what a form, the command line and the reference read from it."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

from studio_core import texts

if TYPE_CHECKING:
    from studio_core.options.part import Part

Kind = Literal["int", "float", "bool", "choice", "choices", "text", "prompt", "numbers", "json", "options"]
"""``prompt`` is a text of several lines, ``numbers`` a list, ``json`` whatever has no form of its own, ``options``
those of a part that another option names."""

ChoicesOf = Literal["", "models", "reward_models", "services", "datasets", "columns", "languages", "findings"]
"""What a form offers for an option whose choices are known only then and there."""


@dataclass(frozen=True)
class OptionField:
    """One option, as a form or a reference needs it."""

    name: str
    kind: Kind
    unit: str
    """A word such as ``tokens``, whose translation is ``options.unit.<unit>``; empty if it has none."""
    minimum: float | None
    maximum: float | None
    default: Any
    choices: tuple[str, ...]
    advanced: bool
    title_key: str
    choices_of: ChoicesOf = ""
    parts: Mapping[str, Part] = field(default_factory=dict, compare=False)
    """The parts that it names one of; of kind ``options``: of which one has these options."""
    part: str = ""
    """Of kind ``options``: the option that names the part."""
    owners: tuple[str, ...] = ()
    """Of an option of a part that is chosen: the parts that have it, by name."""

    @property
    def help_key(self) -> str:
        return f"{self.title_key}.help"

    def choice_key(self, choice: str) -> str:
        """The text of a choice: ``<title>.<choice>``; there may be none, then the choice says it itself."""
        return self.parts[choice].title_key if choice in self.parts else f"{self.title_key}.{choice}"

    @property
    def choices_with_help(self) -> dict[str, str]:
        """The choices that have a line on what they are for, and its key: ``<text of the choice>.help``."""
        known = texts.catalogue(texts.DEFAULT_LANGUAGE)
        keys = {choice: f"{self.choice_key(choice)}.help" for choice in self.choices}
        return {choice: key for choice, key in keys.items() if key in known}

    def of_parts(self) -> list[OptionField]:
        """Of kind ``options``: those of all its parts, as fields ``<option>.<name>``; what several have is one."""
        alike: list[OptionField] = []
        for part in self.parts.values():
            alike += [each for each in part.fields if each not in alike]
        return [
            replace(
                each,
                name=f"{self.name}.{each.name}",
                part=self.part,
                owners=tuple(name for name, part in self.parts.items() if each in part.fields),
            )
            for each in alike
        ]


def option(
    default: Any,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    unit: str = "",
    advanced: bool = True,
    kind: Kind | None = None,
    choices_of: ChoicesOf = "",
    parts: Mapping[str, Part] | None = None,
    part: str = "",
) -> Any:
    """An option: its default with range, unit and place in the form. ``kind`` is told by its type, if not given.

    ``parts``: it is the name of one of them. With ``part``, the option that names one, it is that one's options.
    """
    extra: dict[str, Any] = {
        "unit": unit,
        "advanced": advanced,
        "kind": kind or "",
        "choices_of": choices_of,
        "parts": parts or {},
        "part": part,
    }
    finite = False if isinstance(default, float) else None
    return Field(default=default, ge=at_least, le=at_most, allow_inf_nan=finite, json_schema_extra=extra)


def fields(options: type[BaseModel], areas: Sequence[str]) -> list[OptionField]:
    """The options of a class in the order in which a form shows them.

    Title and help of an option are the texts ``<area>.<option>`` and ``....help`` of the first of ``areas`` that
    has them: an option means something of its own here, or what it means everywhere.
    """
    return [_field(name, info, areas) for name, info in options.model_fields.items()]


def _field(name: str, info: FieldInfo, areas: Sequence[str]) -> OptionField:
    kind, choices = _kind(info.annotation)
    extra: dict[str, Any] = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    bounds = {
        bound: getattr(rule, bound)
        for rule in info.metadata
        for bound in ("ge", "le")
        if hasattr(rule, bound)
    }
    parts: Mapping[str, Part] = extra.get("parts", {})
    keys = [f"{area}.{name}" for area in areas]
    known = texts.catalogue(texts.DEFAULT_LANGUAGE)
    return OptionField(
        name=name,
        kind=extra.get("kind") or ("choice" if parts and kind == "text" else kind),
        unit=extra.get("unit", ""),
        minimum=bounds.get("ge"),
        maximum=bounds.get("le"),
        default=info.get_default(call_default_factory=True),
        choices=choices or (tuple(parts) if kind == "text" else ()),
        advanced=extra.get("advanced", True),
        title_key=next((key for key in keys if key in known), keys[-1]),
        choices_of=extra.get("choices_of", ""),
        parts=parts,
        part=extra.get("part", ""),
    )


def _kind(annotation: Any) -> tuple[Kind, tuple[str, ...]]:
    if get_origin(annotation) is Literal:
        return "choice", get_args(annotation)
    if get_origin(annotation) is dict:
        return "options", ()
    if get_origin(annotation) in (list, tuple):
        item = get_args(annotation)[0]
        if item in (int, float):
            return "numbers", ()
        if get_origin(item) is dict:
            return "json", ()
        return "choices", get_args(item) if get_origin(item) is Literal else ()
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    kinds: dict[type, Kind] = {bool: "bool", int: "int", float: "float", str: "text"}
    return kinds[annotation], ()
