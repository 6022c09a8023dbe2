"""A part of the studio, such as a method, as the command line tells of it: its facts, then its options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.cli.output import print_fields, print_rows
from studio_core.options import OptionField, Part
from studio_core.texts import text

_COLUMNS = ["option", "default", "range", "unit", "choices", "help"]


def fields_of(part: Part) -> list[dict[str, Any]]:
    """The options of a part, in the order of the form."""
    return [_document(field) for field in part.fields]


def line_of(part: Part) -> str:
    """The first sentence of a part's help: what a list has space for."""
    # A list has a line for each; what follows says when to choose it.
    return text(part.help_key).split(". ")[0].rstrip(".")


def print_part(document: Mapping[str, Any]) -> None:
    """A part for people."""
    print_fields(in_lines({name: value for name, value in document.items() if name != "options"}))
    if document["options"]:
        print()
        rows = [
            {**option, "range": _range(option), "choices": ", ".join(option["choices"])}
            for option in document["options"]
        ]
        print_rows(rows, _COLUMNS)


def _document(field: OptionField) -> dict[str, Any]:
    return {
        "option": field.name,
        "title": text(field.title_key),
        "help": text(field.help_key),
        "kind": field.kind,
        "default": field.default,
        "minimum": field.minimum,
        "maximum": field.maximum,
        "choices": list(field.choices),
        "unit": text(f"options.unit.{field.unit}") if field.unit else "",
        "advanced": field.advanced,
    }


def _range(option: Mapping[str, Any]) -> str:
    bounds = [option["minimum"], option["maximum"]]
    return (
        ""
        if bounds == [None, None]
        else " to ".join("" if bound is None else f"{bound:g}" for bound in bounds)
    )


def in_lines(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document with its lists as lines; of roles with what a command calls them."""
    return {
        name: ", ".join(_role(item) if isinstance(item, Mapping) else str(item) for item in value)
        if isinstance(value, list) and name != "options"
        else value
        for name, value in document.items()
    }


def _role(role: Mapping[str, Any]) -> str:
    does = "learns" if role["learns"] else "does not learn"
    return f"{role['role']} ({role['named_by'] or 'as ' + str(role['begins_as'])}, {does})"
