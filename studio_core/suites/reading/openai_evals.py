"""Samples of OpenAI Evals: lines of JSON with ``input``, messages or a text, and ``ideal``, one right answer or more.

Which class scores them stands in another file, so a person names it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

CLASSES = {
    "Match": "match",
    "Includes": "includes",
    "FuzzyMatch": "fuzzy-match",
    "JsonMatch": "json-match",
}
"""The class of ``evals.elsuite.basic`` -> the check that does the same."""

_ROLES = ("system", "user", "assistant")


def is_sample(record: Mapping[str, Any]) -> bool:
    return "input" in record and "ideal" in record


def item(record: Mapping[str, Any], scored_by: str, number: int) -> dict[str, Any]:
    """A sample as a line of a file of items; raises KeyError, TypeError or ValueError if it is none."""
    asked, ideal = record["input"], record["ideal"]
    messages = [{"role": "user", "content": asked}] if isinstance(asked, str) else [*map(_message, asked)]
    if not messages:
        raise ValueError("input: empty")
    ideals = [_ideal(each) for each in (ideal if isinstance(ideal, list) else [ideal])]
    if not ideals:
        raise ValueError("ideal: empty")
    value = ideals if len(ideals) > 1 else ideals[0]
    return {
        "id": str(number),
        "messages": messages,
        "checks": [{"type": CLASSES[scored_by], "value": value}],
    }


def _message(message: Any) -> dict[str, str]:
    if not isinstance(message, dict) or not isinstance(message.get("content"), str):
        raise TypeError(f"input: {message!r:.80} is no message of text")
    if message.get("role") not in _ROLES:
        raise ValueError(f"input: role {message.get('role')!r:.40}, not one of {', '.join(_ROLES)}")
    # Examples in the prompt are messages of the system by name, which no chat template knows.
    if message.get("name"):
        raise ValueError(f"input: name {message['name']!r:.40}, which no chat template writes")
    return {"role": message["role"], "content": message["content"]}


def _ideal(value: Any) -> str:
    """Right answers are texts; for JsonMatch they may be written as JSON itself."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
