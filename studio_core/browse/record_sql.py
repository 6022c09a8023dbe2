"""The texts of a stored record in SQL, whatever columns its shape has."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from studio_core.browse.duck import quoted

Test = Callable[[str], str]
"""From the SQL of a text to the SQL of what is asked of it."""


def has_texts(type: pa.DataType) -> bool:
    """Whether a column of this type is searched."""
    if pa.types.is_list(type):
        return has_texts(type.value_type)
    return pa.types.is_string(type) or (pa.types.is_struct(type) and bool(_fields(type)))


def any_text(field: pa.Field, test: Test) -> str:
    """Whether the test holds for any text of a column; never null."""
    column = quoted(field.name)
    if not pa.types.is_list(field.type):
        condition = _any_field(column, field.type, test)
    else:
        of_item = _any_field("item", field.type.value_type, test)
        condition = f"list_bool_or(list_transform({column}, lambda item: {of_item}))"
    return f"coalesce({condition}, false)"


def _any_field(value: str, type: pa.DataType, test: Test) -> str:
    if not pa.types.is_struct(type):
        return test(value)
    tests = (f"coalesce({test(f'{value}.{quoted(name)}')}, false)" for name in _fields(type))
    return f"({' OR '.join(tests)})"


def whole_text(schema: pa.Schema) -> str:
    """All texts of a record in lower case, one a line."""
    parts = []
    for field in schema:
        if not has_texts(field.type):
            continue
        column = quoted(field.name)
        if pa.types.is_list(field.type):
            line = _line("item", field.type.value_type)
            lines = f"array_to_string(list_transform({column}, lambda item: {line}), chr(10))"
        else:
            lines = _line(column, field.type)
        parts.append(f"lower({lines})")
    return f"concat_ws(chr(10), {', '.join(parts)})"


def _line(value: str, type: pa.DataType) -> str:
    if not pa.types.is_struct(type):
        return value
    return f"concat_ws(chr(10), {', '.join(f'{value}.{quoted(name)}' for name in _fields(type))})"


# Nobody looks for the word "user" in order to find every record.
_UNSEARCHED = ("role", "tool_call_id")


def _fields(type: pa.StructType) -> list[str]:
    """The fields of a message that are searched: its texts, but not its role and the number of a call."""
    return [field.name for field in type if pa.types.is_string(field.type) and field.name not in _UNSEARCHED]
