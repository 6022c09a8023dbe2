"""Calls of tools in the text of an answer.

Read is the spelling that the studio itself writes where a template has none (``data/conversation.py``), which is that
of Hermes' and Qwen's templates, and a bare JSON object or list, as Llama's and Mistral's templates write it:

    <tool_call>
    {"name": "calculator", "arguments": {"expression": "37*48"}}
    </tool_call>

Why not a shorter one of our own: demonstrations with calls, previews and templates have this one already, so that a
model learns in SFT the very tokens that are read here.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from dataclasses import dataclass, field
from typing import Any

MARK = "<tool_call>"
_MARKED = re.compile(MARK + r"\s*(.*?)\s*(?:</tool_call>|$)", re.DOTALL)
MOST_CALLS = 8
"""In one turn. More are the sign of a loop, and would fill the text with results."""


@dataclass(frozen=True)
class Call:
    name: str = ""
    """Empty: something was marked as a call, and cannot be read as one."""
    arguments: dict[str, Any] = field(default_factory=dict)


def calls_in(text: str, most: int | None = MOST_CALLS) -> list[Call]:
    """The calls of an answer, in order, no more than ``most``; none: it answers."""
    if marked := _MARKED.findall(text):
        return [call for body in marked for call in _read(body) or [Call()]][:most]
    # Without marks only what is nothing but calls is one: an answer may quote JSON.
    return _read(text)[:most] if text.lstrip()[:1] in ("{", "[") else []


def without_calls(text: str) -> str:
    """What an answer says besides its calls."""
    if MARK in text:
        return _MARKED.sub("", text).strip()
    return "" if calls_in(text) else text


def message(role: str, content: str) -> dict[str, str]:
    """A turn as it was written, as a message of a chat: calls of the model in ``tool_calls``, as JSON text."""
    calls = calls_in(content) if role == "assistant" else []
    if not calls or not all(call.name for call in calls):
        # What cannot be read as a call stays what was written.
        return {"role": role, "content": content}
    spoken = content.partition(MARK)[0].strip() if MARK in content else ""
    listed = [{"name": call.name, "arguments": call.arguments} for call in calls]
    return {"role": role, "content": spoken, "tool_calls": json.dumps(listed, ensure_ascii=False)}


def _read(text: str) -> list[Call]:
    """Those that the JSON text holds; none if it is anything else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return []
    calls = [_call(item) for item in (value if isinstance(value, list) else [value])]
    return [call for call in calls if call] if all(calls) else []


def _call(value: Any) -> Call | None:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str) or not value["name"]:
        return None
    arguments = value.get("arguments", value.get("parameters"))
    return Call(value["name"], arguments) if isinstance(arguments, dict) else None


_LONGEST_EXPRESSION = 20_000
"""Characters of Python that are parsed: the syntax tree takes some hundred times their memory."""
_FENCED = re.compile(r"\s*```[ \t]*\w*[ \t]*\n(.*?)```\s*", re.DOTALL)


def calls_of_answer(text: str) -> list[Call]:
    """The calls of an answer that a benchmark asks for: JSON or marks as above, or Python, in a fence or without one.

    Python is ``[distance(to="Oslo"), weather.get(day=2)]``, also without its brackets. Nothing of it is evaluated
    but literals. None: it does not read as calls, or it is an empty list.
    """
    if fenced := _FENCED.fullmatch(text):
        text = fenced[1]
    # A benchmark counts calls: those too many are wrong, not left out.
    return calls_in(text, most=None) or _python_calls(text.strip())


def _python_calls(text: str) -> list[Call]:
    if len(text) > _LONGEST_EXPRESSION:
        return []
    try:
        with warnings.catch_warnings():
            # Python would warn of a backslash in somebody else's text.
            warnings.simplefilter("ignore")
            tree = ast.parse(text if text.startswith("[") else f"[{text}]", mode="eval").body
        return [_python_call(node) for node in tree.elts] if isinstance(tree, ast.List) else []
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _python_call(node: ast.expr) -> Call:
    """Raises ValueError for what is no call of a plain name with named literals."""
    if not isinstance(node, ast.Call) or node.args or not all(keyword.arg for keyword in node.keywords):
        raise ValueError(ast.dump(node))
    parts, name = [], node.func
    while isinstance(name, ast.Attribute):
        parts.append(name.attr)
        name = name.value
    if not isinstance(name, ast.Name):
        raise ValueError(ast.dump(name))
    arguments = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in node.keywords}
    return Call(".".join([name.id, *reversed(parts)]), arguments)
