"""Columns of a row: found by name or by path, put into templates, and read as labels."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from collections.abc import Mapping as MappingType
from typing import Any

Row = dict[str, Any]

# Up to 40 letters, as a name of a field: longer things in double braces are code or mathematics.
_PLACEHOLDER = re.compile(r"\{\{\s*([^\W\d]\w{0,39})\s*\}\}")
_IN_TEMPLATE = re.compile(r"\{\{\s*([^{}]{1,200}?)\s*\}\}")
"""A column of any name; placeholders are words only."""

MISSING = object()
"""The value of a column that a row does not have."""

# As they stand in public datasets and in tables that people keep by hand.
_LABELS = {
    True: "true 1 1.0 yes y good positive up correct right like desirable chosen accepted accept + 👍",
    False: "false 0 0.0 no n bad negative down incorrect wrong dislike undesirable rejected reject - -1 👎",
}
_LABEL_NAMES = {name: meant for meant, names in _LABELS.items() for name in names.split()}


# 2,000: a file with more has its data in the heading by mistake.
def columns_of(rows: Iterable[Row], limit: int = 2000) -> list[str]:
    """Columns of these rows, with those inside of objects as paths, ``input.messages``: at most ``limit``."""
    names: dict[str, None] = {}
    for row in rows:
        for name, value in row.items():
            if len(names) >= limit:
                return list(names)
            if name not in names and _sayable(name):
                names[name] = None
            if isinstance(value, dict) and name in names:
                names.update(dict.fromkeys(_paths(name, value, depth=2)))
    return list(names)[:limit]


def _paths(name: str, value: Row, depth: int) -> list[str]:
    # A message is no place for columns, and an object of more than 100 keys is a dictionary of data.
    if {"role", "from"} & value.keys() or len(value) > 100:
        return []
    paths = []
    for key, inner in value.items():
        if isinstance(key, str) and "." not in key and _sayable(key):
            paths.append(f"{name}.{key}")
            if isinstance(inner, dict) and depth > 1:
                paths += _paths(paths[-1], inner, depth - 1)
    return paths


def _sayable(name: str) -> bool:
    """Whether a name is text that a page can show."""
    try:
        return bool(name.encode()) and len(name) <= 1000
    except UnicodeEncodeError:
        return False


def value_in(row: Row, column: str) -> Any:
    """The value of a column or of a path into nested objects; ``MISSING`` if the row has none."""
    # A column may have a dot in its own name.
    if column in row or "." not in column:
        return row.get(column, MISSING)
    value: Any = row
    for name in column.split("."):
        if not isinstance(value, dict) or name not in value:
            return MISSING
        value = value[name]
    return value


def fill_template(template: str, row: Row, fill: MappingType[str, str]) -> str:
    """The template with the row's values; empty if all columns that it names are."""
    values: dict[str, str] = {}
    for name in names_in(template):
        if name not in fill:
            value = value_in(row, name)
            if value is MISSING or value is None:
                value = ""
            values[name] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # The fixed words of a template say nothing alone.
    if values and not any(value.strip() for value in values.values()):
        return ""
    return _IN_TEMPLATE.sub(lambda match: values.get(match[1], match[0]), template)


def label(value: Any, good_from: float | None = None) -> bool | None:
    """Whether a label or rating says good or bad; None if it says neither."""
    if isinstance(value, bool):
        return value
    if good_from is None:
        return _LABEL_NAMES.get(str(value).strip().lower())
    rating = number(value)
    return None if rating is None else rating >= good_from


def number(value: Any) -> float | None:
    """A finite number, also one that is written as text."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    # "nan" is how tables write that there is nothing.
    return found if math.isfinite(found) else None


def names_in(template: str) -> list[str]:
    """Columns and placeholders that a template names, ``{{name}}``."""
    return _IN_TEMPLATE.findall(template)


def placeholders(texts: Iterable[str]) -> list[str]:
    """Names written ``{{name}}`` in these texts, in the order of their first appearance."""
    names: dict[str, None] = {}
    for text in texts:
        if "{{" in text:
            names.update(dict.fromkeys(_PLACEHOLDER.findall(text)))
    return list(names)


def fill_placeholders(text: str, values: MappingType[str, str]) -> str:
    """The text with the placeholders that have a value replaced."""
    if "{{" not in text:
        return text
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)
