"""Turns of a conversation, in any of the ways in which files write them, as ``{"role", "content"}``.

Understood are plain strings, OpenAI messages (also with ``tool_calls`` and lists of text parts),
ShareGPT turns (``from``, ``value``), JSON inside a cell of a CSV file, and Anthropic's
``Human:``/``Assistant:`` transcripts. Images are left out, and counted, where a turn has text
beside them. What a template could not render raises ``Rejected``.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from studio_core.data.notes import Notes
from studio_core.data.shapes import Message

MAX_CHARACTERS = 2_000_000
"""Of one text. No tokenizer or page is asked to take in more."""

ROLE_NAMES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "chatgpt": "assistant",
    "ai": "assistant",
    "claude": "assistant",
    "bard": "assistant",
    "bing": "assistant",
    "function_call": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "ipython": "tool",
}

_TRANSCRIPT = re.compile(r"\n\n(Human|Assistant):[ \t]?")
TURNS_IN_TEXT = re.compile(r"""\[\s*\{\s*["'](role|from|content|value)["']\s*:""")
"""How turns begin in the cell of a table, in JSON or as Python prints them."""
_NAMES_ROLES = re.compile(r"""["'](role|from)["']\s*:""")
_LITERAL = 200_000
"""Characters of what Python printed that are parsed."""
_IMAGES = ("image", "image_url", "input_image", "video", "audio", "input_audio")


class Rejected(Exception):
    """A row that cannot be used. ``code`` is a key of the text catalogue: ``data.row_<code>``."""

    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(code, values)
        self.code = code
        self.values = values


def plain_text(value: Any, column: str) -> str:
    """The text of a cell; numbers count as text."""
    if isinstance(value, str):
        text = value
    elif value is None:
        return ""
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise Rejected("not_text", column=column, kind=type(value).__name__)
    else:
        text = "" if value != value else str(value)  # Tables keep an empty cell as a number that is none.
    if len(text) > MAX_CHARACTERS:
        raise Rejected("too_long", column=column, characters=len(text), limit=MAX_CHARACTERS)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            # Bytes that did not fit the file's encoding were kept by the reader as such characters.
            foreign = "\udc80" <= text[error.start] <= "\udcff"
            raise Rejected("bytes" if foreign else "not_unicode", column=column) from error
    return text


def turns(value: Any, role: str, column: str, notes: Notes | None = None) -> list[Message]:
    """The turns in a cell; a plain string is one turn of ``role``. Nothing in the cell: no turns."""
    if isinstance(value, str):
        return _turns_in_string(value, role, column, notes)
    if isinstance(value, list):
        if len(value) == 1 and isinstance(value[0], str | list):
            return turns(value[0], role, column, notes)
        told = [_turn(item, column, place, notes) for place, item in enumerate(value, start=1)]
        # Many files open every conversation with a system prompt, even where there is none.
        return told[1:] if told and told[0]["role"] == "system" and not told[0]["content"].strip() else told
    if isinstance(value, dict):
        if isinstance(value.get("messages"), list):
            return turns(value["messages"], role, column, notes)
        return [_turn(value, column, 1, notes)]
    text = plain_text(value, column)
    return [{"role": role, "content": text}] if text else []


def _turns_in_string(value: str, role: str, column: str, notes: Notes | None) -> list[Message]:
    start = value[:2]
    if start in ("[{", '{"', "[ ", "[\n"):
        inner = _parsed(value)
        if _looks_like_turns(inner):
            return turns(inner, role, column, notes)
        if inner is None and TURNS_IN_TEXT.match(value) and _NAMES_ROLES.search(value):
            # Cut off by a program that keeps only so many characters in a cell: text it is not.
            raise Rejected("turns_broken", column=column)
    elif (start == "\n\n" and _TRANSCRIPT.match(value)) or _opens_like_transcript(value):
        _, *parts = _TRANSCRIPT.split("\n\n" + plain_text(value, column).lstrip())
        return [
            {"role": "user" if who == "Human" else "assistant", "content": said.strip()}
            for who, said in zip(parts[::2], parts[1::2], strict=True)
        ]
    text = plain_text(value, column)
    return [{"role": role, "content": text}] if text and not text.isspace() else []


def _parsed(value: str) -> Any:
    """What is written in a cell as JSON, or as Python prints lists of turns; None if it is neither."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        if len(value) > _LITERAL or not TURNS_IN_TEXT.match(value):
            return None
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def _opens_like_transcript(value: str) -> bool:
    """A transcript whose first blank line was lost on the way, as tables lose it."""
    return value.startswith("Human:") and "\n\nAssistant:" in value


def _looks_like_turns(value: Any) -> bool:
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, dict) and bool({"role", "from", "messages"} & first.keys())


def _turn(item: Any, column: str, place: int, notes: Notes | None) -> Message:
    if not isinstance(item, dict):
        raise Rejected("turn_not_object", column=column, turn=place, kind=type(item).__name__)
    named = item.get("role", item.get("from"))
    role = ROLE_NAMES.get(named.lower()) if isinstance(named, str) else None
    if role is None:
        raise Rejected("unknown_role", column=column, turn=place, role=str(named)[:40])
    content = item.get("content", item.get("value"))
    if isinstance(content, list):
        content = _joined_parts(content, column, place, notes)
    text = plain_text(content, column)
    if named == "function_call":
        text = tool_call(text)
    if notes is not None and item.get("weight") == 0:
        notes.add("weight")
    calls = item.get("tool_calls") or item.get("function_call")
    if calls:
        text = "\n".join([*([text] if text else []), *_openai_calls(calls, column, place)])
    return {"role": role, "content": text}


def _joined_parts(parts: list[Any], column: str, place: int, notes: Notes | None) -> str:
    texts = []
    images = 0
    for part in parts:
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict) and part.get("type") in _IMAGES:
            images += 1
        else:
            kind = part.get("type") if isinstance(part, dict) else type(part).__name__
            raise Rejected("not_only_text", column=column, turn=place, kind=str(kind)[:40])
    text = "".join(texts)
    if images and not text.strip():
        raise Rejected("only_images", column=column, turn=place)
    if images and notes is not None:
        notes.add("images", images, column=column)
    return text


def tool_call(call: str) -> str:
    """A call as it stands in the assistant's text, in the spelling that open models use."""
    return f"<tool_call>\n{call}\n</tool_call>"


def _openai_calls(calls: Any, column: str, place: int) -> list[str]:
    written = []
    for call in calls if isinstance(calls, list) else [calls]:
        function = call.get("function", call) if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise Rejected("tool_call_unclear", column=column, turn=place)
        arguments = function.get("arguments", {})
        if isinstance(arguments, str):
            try:
                arguments = json.loads(arguments)
            except (ValueError, RecursionError) as error:
                raise Rejected("tool_call_unclear", column=column, turn=place) from error
        written.append(
            tool_call(json.dumps({"name": function["name"], "arguments": arguments}, ensure_ascii=False))
        )
    return written


def tools_prompt(value: Any, column: str) -> str:
    """The system text that tells a model of its tools; empty if there are none."""
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise Rejected("tools_not_json", column=column) from error
    if not value:
        return ""
    if not isinstance(value, list):
        raise Rejected("tools_not_json", column=column)
    listed = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in value)
    return (
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
        "You are provided with function signatures within <tools></tools> XML tags:\n"
        f"<tools>\n{listed}\n</tools>\n\n"
        "For each function call, return a json object with function name and arguments within "
        '<tool_call></tool_call> XML tags:\n<tool_call>\n{"name": <function-name>, '
        '"arguments": <args-json-object>}\n</tool_call>'
    )


def with_system(messages: list[Message], *texts: str) -> list[Message]:
    """The conversation with these texts added to its system prompt."""
    added = [text for text in texts if text.strip()]
    if not added:
        return messages
    if messages and messages[0]["role"] == "system":
        added.insert(0, messages[0]["content"])
        messages = messages[1:]
    return [{"role": "system", "content": "\n\n".join(added)}, *messages]


_MAY_FOLLOW = {
    "user": ("assistant",),
    "assistant": ("user", "tool"),
    "tool": ("assistant", "tool"),
}


def check_turns(messages: list[Message], column: str, first: str = "user") -> None:
    """Every turn says something, and roles alternate; a system prompt comes first or not at all."""
    expected: tuple[str, ...] = ("system", first) if first == "user" else (first,)
    for place, message in enumerate(messages, start=1):
        role = message["role"]
        if role not in expected:
            raise Rejected("turn_order", column=column, turn=place, role=role, expected=" / ".join(expected))
        if (not message["content"] or message["content"].isspace()) and role != "tool":
            raise Rejected(
                "empty_answer" if role == "assistant" else "empty_turn", column=column, turn=place, role=role
            )
        expected = (first,) if role == "system" else _MAY_FOLLOW[role]
