"""Calls of tools and definitions of tools, in any of the ways in which files write them, as the stored JSON text."""

from __future__ import annotations

import ast
import json
from typing import Any

from studio_core.data.notes import Rejected

# ast needs many times the memory of the text.
_LITERAL = 200_000
"""Characters of what Python printed that are parsed."""
_ANY_VALUE = ("default", "const", "enum", "example", "examples")
"""Keys of a JSON schema below which null is a value like any other."""


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def calls(value: Any, column: str, place: int) -> str:
    """Calls as OpenAI writes them, as a list or one, with their arguments as an object or as JSON text."""
    value = _parse(value, column, place) if isinstance(value, str) else value
    # One call may stand alone, without a list around it.
    return as_json([_call(call, column, place) for call in (value if isinstance(value, list) else [value])])


def together(first: str, second: str) -> str:
    """The calls of two turns as those of one."""
    return as_json([*json.loads(first), *json.loads(second)])


def _call(call: Any, column: str, place: int) -> dict[str, Any]:
    function = call.get("function", call) if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise Rejected("tool_call_unclear", column=column, turn=place)
    arguments = function.get("arguments", function.get("parameters"))
    if isinstance(arguments, str):
        arguments = _parse(arguments, column, place) if arguments.strip() else {}
    written = {"name": function["name"], "arguments": {} if arguments is None else arguments}
    number = call.get("id")
    # Numbers that are no text (rows of tables have nulls and integers) name nothing.
    return {**written, "id": number} if isinstance(number, str) and number else written


def _nothing(name: str) -> None:
    """NaN and Infinity, which are no JSON."""


def _parse(text: str, column: str, place: int) -> Any:
    """What is written as JSON, or as Python prints it."""
    try:
        return json.loads(text, parse_constant=_nothing)
    except (ValueError, RecursionError) as error:
        if len(text) <= _LITERAL:
            try:
                literal = ast.literal_eval(text)
                as_json(literal)
                return literal
            except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
                pass  # It is told as the JSON that it is not.
        raise Rejected("tool_call_unclear", column=column, turn=place) from error


def definitions(value: Any, column: str) -> str:
    """Definitions of tools, as a list or as JSON text; empty if there are none.

    A null that stands for a key which a definition does not have, as tables of records give it, is left out.
    """
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise Rejected("tools_not_json", column=column) from error
    if not value or isinstance(value, str):
        return ""
    listed = [value] if isinstance(value, dict) else value
    if not isinstance(listed, list) or not all(isinstance(tool, dict | str) for tool in listed):
        raise Rejected("tools_not_json", column=column)
    listed = [json.loads(tool) if isinstance(tool, str) and tool[:1] == "{" else tool for tool in listed]
    return as_json([_without_nulls(tool) for tool in listed])


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: inner for key, inner in value.items() if inner is not None or key in _ANY_VALUE}
        return {key: v if key in _ANY_VALUE else _without_nulls(v) for key, v in kept.items()}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def known_only(calls: str, tools: str) -> str:
    """The calls without null arguments that the definition of the tool does not know: no one wrote those."""
    if "null" not in calls:
        return calls
    known = {name: set(properties) for name, properties in map(_properties, json.loads(tools))}
    written = json.loads(calls)
    for call in written:
        if isinstance(call["arguments"], dict) and known.get(call["name"]):
            # Arrow gives every record the keys of all others, with null: what no
            # definition has, nobody wrote.
            call["arguments"] = {
                key: value
                for key, value in call["arguments"].items()
                if value is not None or key in known[call["name"]]
            }
    return as_json(written)


def _properties(tool: Any) -> tuple[str, Any]:
    """Name of a tool, and the arguments that it takes."""
    function = tool.get("function", tool) if isinstance(tool, dict) else {}
    parameters = function.get("parameters") if isinstance(function, dict) else None
    properties = parameters.get("properties") if isinstance(parameters, dict) else None
    return str(function.get("name")), properties if isinstance(properties, dict) else {}
