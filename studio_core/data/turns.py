"""Turns of a conversation, in any of the ways in which files write them, as messages.

Understood are OpenAI messages (with ``tool_calls``, reasoning, weights and lists of text parts),
ShareGPT turns (``from``, ``value``), the roles of ms-swift (``tool_call``, ``tool_response``), and
plain strings, which are one turn. Only where the caller says that turns are written as text is a
string parsed: as JSON, as Python prints it, or as a ``Human:``/``Assistant:`` transcript. Images are
left out, and counted, where a turn has text beside them. What a template could not render raises
``Rejected``.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from studio_core.data import calls
from studio_core.data.notes import Notes, Rejected
from studio_core.data.shapes import Message

__all__ = ["ROLE_NAMES", "Rejected", "check_turns", "plain_text", "turns", "with_system", "written_turns"]

# As long as a novel or two: above it a cell is a file that was put into one.
MAX_CHARACTERS = 2_000_000
"""Of one text. No tokenizer or page is asked to take in more."""

_CALL_ROLES = ("function_call", "tool_call", "tool_calls")
"""Turns by these names hold calls of the assistant, and belong to its turn before them."""
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
    **dict.fromkeys(_CALL_ROLES, "assistant"),
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "ipython": "tool",
    "tool_response": "tool",
    "tool_result": "tool",
    "function_response": "tool",
}

# As Anthropic's HH files have it, the first and widest spread of this kind.
_TRANSCRIPT = re.compile(r"\n\n(Human|Assistant):[ \t]?")
TURNS_IN_TEXT = re.compile(r"""\[\s*\{\s*["'](role|from|content|value)["']\s*:""")
"""How turns begin in the cell of a table, in JSON or as Python prints them."""
_NAMES_ROLES = re.compile(r"""["'](role|from)["']\s*:""")
# As in ``calls``: ast needs many times the memory of the text.
_LITERAL = 200_000
"""Characters of what Python printed that are parsed."""
# Types of parts as OpenAI, Qwen and others call what is no text.
_IMAGES = ("image", "image_url", "input_image", "video", "audio", "input_audio")
_REASONING = ("reasoning_content", "reasoning", "thinking")
"""Names by which files have what the assistant thought, as a key of a turn or as the type of a part."""
_WEIGHTS = ("weight", "train", "loss")
"""Keys of a turn by which files say whether it is learnt."""


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


def turns(
    value: Any, role: str, column: str, notes: Notes | None = None, *, in_text: bool = False
) -> list[Message]:
    """The turns in a cell; a plain string is one turn of ``role``. Nothing in the cell: no turns.

    ``in_text``: strings hold turns that are written as text; one that does not is rejected.
    """
    if isinstance(value, list):
        # Tables wrap a cell into a list of one.
        if len(value) == 1 and isinstance(value[0], str | list):
            return turns(value[0], role, column, notes)
        return _conversation(value, column, notes)
    if isinstance(value, dict):
        if isinstance(value.get("messages"), list):
            return turns(value["messages"], role, column, notes)
        return [_turn(value, column, 1, notes)]
    text = plain_text(value, column)
    if not text or text.isspace():
        return []
    if not in_text or not isinstance(value, str):
        return [{"role": role, "content": text}]
    inner = written_turns(text)
    if inner is None:
        # Told apart, since a conversation that was cut off is mended
        # elsewhere than a column that holds none.
        begun = bool(TURNS_IN_TEXT.match(text) and _NAMES_ROLES.search(text))
        raise Rejected("turns_broken" if begun else "not_turns", column=column)
    return turns(inner, role, column, notes)


def written_turns(text: str) -> Any:
    """The turns that a text writes down, as a file would have them; None if it is none."""
    if text[:1] in "[{":
        inner = _parse_cell(text)
        return inner if _looks_like_turns(inner) else None
    if not _TRANSCRIPT.match("\n\n" + text.lstrip()):
        return None
    _, *parts = _TRANSCRIPT.split("\n\n" + text.lstrip())
    return [
        {"role": "user" if who == "Human" else "assistant", "content": said.strip()}
        for who, said in zip(parts[::2], parts[1::2], strict=True)
    ]


def are_turns_in_text(text: str) -> bool:
    """Whether a text is a conversation in writing, also one that was cut off by a program for tables."""
    if text[:1] not in "[{" and not text.startswith("\n\n") and "\n\nAssistant:" not in text:
        return False
    inner = written_turns(text)
    if inner is None:
        # Begun as turns and not to be read: cut off. It is to be rejected
        # with its reason, and not learnt as a text.
        return bool(TURNS_IN_TEXT.match(text) and _NAMES_ROLES.search(text)) and _parse_cell(text) is None
    listed = (
        inner["messages"] if isinstance(inner, dict) and isinstance(inner.get("messages"), list) else inner
    )
    # One object alone may be an answer that is JSON and happens to have such keys.
    return isinstance(listed, list) and all(isinstance(turn, dict) and _role(turn) for turn in listed)


def _parse_cell(value: str) -> Any:
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


def _looks_like_turns(value: Any) -> bool:
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, dict) and bool({"role", "from", "messages"} & first.keys())


def _conversation(items: list[Any], column: str, notes: Notes | None) -> list[Message]:
    told: list[Message] = []
    for place, item in enumerate(items, start=1):
        message = _turn(item, column, place, notes)
        before = told[-1] if told else None
        # One turn of the assistant, for which some files have several.
        if before and _role_name(item) in _CALL_ROLES and _goes_on(before, message):
            known = before.get("tool_calls")
            before["tool_calls"] = (
                calls.together(known, message["tool_calls"]) if known else message["tool_calls"]
            )
        else:
            told.append(message)
    # Many files open every conversation with a system prompt, even where there is none.
    return told[1:] if told and told[0]["role"] == "system" and not told[0]["content"].strip() else told


def _goes_on(before: Message, calling: Message) -> bool:
    """Whether a turn that only calls is a part of the turn before it."""
    return before["role"] == "assistant" and before.get("train") == calling.get("train")


def _role_name(item: Any) -> str:
    """The role of a turn as its file names it, however it is spelled."""
    named = item.get("role", item.get("from")) if isinstance(item, dict) else None
    return re.sub(r"[\s\-]+", "_", named.strip().lower()) if isinstance(named, str) else ""


def _role(item: Any) -> str | None:
    return ROLE_NAMES.get(_role_name(item))


def _turn(item: Any, column: str, place: int, notes: Notes | None) -> Message:
    if not isinstance(item, dict):
        raise Rejected("turn_not_object", column=column, turn=place, kind=type(item).__name__)
    role = _role(item)
    if role is None:
        named = str(item.get("role", item.get("from")))
        raise Rejected("unknown_role", column=column, turn=place, role=named[:40])
    content = item.get("content", item.get("value"))
    thought: list[str] = []
    if isinstance(content, list) and _role_name(item) not in _CALL_ROLES:
        content = _joined_parts(content, thought, column, place, notes)
    calling = item.get("tool_calls") or item.get("function_call")
    # Its content is the call itself.
    if _role_name(item) in _CALL_ROLES:
        calling, content = content or calling, ""
    message: Message = {"role": role, "content": plain_text(content, column)}
    # Several names may hold the same thought: the first one counts.
    thought += [plain_text(item[key], column) for key in _REASONING if item.get(key)][:1]
    if reasoning := "\n".join(thought):
        message["reasoning"] = reasoning
    if calling:
        message["tool_calls"] = plain_text(calls.calls(calling, column, place), column)
    if isinstance(item.get("name"), str) and item["name"]:
        message["name"] = plain_text(item["name"], column)
    if role == "tool" and isinstance(item.get("tool_call_id"), str) and item["tool_call_id"]:
        message["tool_call_id"] = plain_text(item["tool_call_id"], column)
    if not _learnt(item, column, place):
        message["train"] = False
    return message


def _learnt(item: dict[str, Any], column: str, place: int) -> bool:
    """Whether a turn is marked to be learnt; only all or nothing can be asked for."""
    for key in _WEIGHTS:
        value = item.get(key)
        if value is None:
            continue
        # Tables write it as a word, as a number, or as a number with a point.
        weight = {"true": 1, "false": 0}.get(str(value).strip().lower(), value)
        if str(weight) not in ("0", "1", "0.0", "1.0"):
            raise Rejected("weight", column=column, turn=place, field=key, value=str(value)[:40])
        if float(weight) == 0:
            return False
    return True


def _joined_parts(parts: list[Any], thought: list[str], column: str, place: int, notes: Notes | None) -> str:
    """The text of a turn in parts; what was thought is added to ``thought``."""
    texts = []
    images = 0
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in _REASONING:
            said = next((part[key] for key in (kind, "text", "content", *_REASONING) if part.get(key)), "")
            thought.append(plain_text(said, column))
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif isinstance(part, str):
            texts.append(part)
        elif kind in _IMAGES:
            images += 1
        else:
            kind = kind if isinstance(part, dict) else type(part).__name__
            raise Rejected("not_only_text", column=column, turn=place, kind=str(kind)[:40])
    text = "".join(texts)
    # A question that is nothing but a picture cannot be learnt from without it.
    if images and not text.strip():
        raise Rejected("only_images", column=column, turn=place)
    if images and notes is not None:
        notes.add("images", images, column=column)
    return text


def with_system(messages: list[Message], *texts: str) -> list[Message]:
    """The conversation with these texts added to its system prompt."""
    added = [text for text in texts if text.strip()]
    if not added:
        return messages
    if messages and messages[0]["role"] == "system":
        added.insert(0, messages[0]["content"])
        first, *messages = messages
        return [{**first, "content": "\n\n".join(added)}, *messages]
    return [{"role": "system", "content": "\n\n".join(added)}, *messages]


# As in ``reports.turn_structure``, which says of stored records what is refused here of new ones.
_MAY_FOLLOW = {
    "user": ("assistant",),
    "assistant": ("user", "tool"),
    "tool": ("assistant", "tool"),
}


def check_turns(messages: list[Message], column: str, first: str = "user") -> None:
    """Every turn says something or calls a tool, and roles alternate; a system prompt comes first or not at all."""
    # Of an answer alone the first turn is the assistant's, and no system prompt can come.
    expected: tuple[str, ...] = ("system", first) if first == "user" else (first,)
    for place, message in enumerate(messages, start=1):
        role = message["role"]
        if role not in expected:
            raise Rejected("turn_order", column=column, turn=place, role=role, expected=" / ".join(expected))
        silent = not message["content"] or message["content"].isspace()
        # A tool may answer with nothing, and a turn that calls need not say anything.
        if silent and role != "tool" and not message.get("tool_calls"):
            raise Rejected(
                "empty_answer" if role == "assistant" else "empty_turn", column=column, turn=place, role=role
            )
        expected = (first,) if role == "system" else _MAY_FOLLOW[role]
