"""Suites that people have added: each item says itself what its answer must be, by checks of this table.

A file of one is ``NAME.jsonl`` in the folder of suites, a line for each item: ``messages``, ``checks`` and, if wanted,
``id``, ``kind``, ``cluster`` and ``threshold``. A check has a ``type`` of ``CHECKS`` and a ``value``, with ``not`` it
must fail, and its ``weight`` counts where there is a threshold. An answer is right if all checks hold, or if those that
hold have the share ``threshold`` of all weights. ``studio_core/suites/reading/`` makes such lines of other files.
"""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from studio_core.suites.base import Item, Source, Suite, Verdict

# As a test set: nothing says how long answers may be.
MAX_TOKENS = 512
# A pattern that needs longer for one answer would hold up the whole evaluation.
_PATTERN_SECONDS = 2.0
# Of a line that is looked at to tell whether a file is one of items.
_LOOKED_AT = 1 << 20

Check = Callable[[Any, str], bool]
"""``(value of the check, answer)`` -> whether it holds."""


def suites(folder: Path, taken: Collection[str]) -> dict[str, Suite]:
    """Those whose files are in the folder, by name; a name of ``taken`` is a file of another suite."""
    files = sorted(folder.glob("*.jsonl")) if folder.is_dir() else []
    return {file.stem: suite(file.stem) for file in files if file.stem not in taken and _has_items(file)}


def suite(name: str) -> Suite:
    return Suite(name, score, max_tokens=MAX_TOKENS, item=item, source=Source(""))


def _has_items(file: Path) -> bool:
    """Whether the file is one of items: the folder may have others, whose questions reports look for in data."""
    try:
        with open(file, "rb") as lines:
            first = json.loads(lines.readline(_LOOKED_AT))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(first, dict) and "messages" in first and "checks" in first


def item(suite: str, record: Mapping[str, Any], number: int) -> Item:
    """A line of such a file; raises KeyError, TypeError or ValueError if it is none."""
    for check in record["checks"]:
        if check["type"] not in CHECKS:
            raise ValueError(f"no check {check['type']!r:.40}, only {', '.join(CHECKS)}")
    if not record["checks"]:
        raise ValueError("no check")
    return Item(
        suite,
        str(record.get("kind", "")),
        tuple(record["messages"]),
        "; ".join(map(described, record["checks"])),
        id=str(record.get("id", number)),
        record={"checks": record["checks"], "threshold": record.get("threshold")},
        cluster=str(record.get("cluster", "")),
    )


def described(check: Mapping[str, Any]) -> str:
    """A check in its own words, such as ``not-contains "no"``."""
    name = f"{'not-' if check.get('not') else ''}{check['type']}"
    value = check.get("value")
    return name if value is None else f"{name} {json.dumps(value, ensure_ascii=False)}"


def score(item: Item, answer: str) -> Verdict:
    checks = item.record["checks"]
    holds = [
        CHECKS[check["type"]](check.get("value"), answer) is not bool(check.get("not")) for check in checks
    ]
    failed = "; ".join(described(check) for check, held in zip(checks, holds, strict=True) if not held)
    threshold = item.record["threshold"]
    if threshold is None:
        right = not failed
    else:
        weights = [float(check.get("weight", 1)) for check in checks]
        kept = sum(weight for weight, held in zip(weights, holds, strict=True) if held)
        right = kept >= threshold * sum(weights)
    return Verdict(float(right), *(("check_failed", {"checks": failed[:300]}) if failed else ()))


def _equals(value: Any, answer: str) -> bool:
    return answer == value.strip() if isinstance(value, str) else _equal_json(json.dumps(value), answer)


def same(one: Any, other: Any) -> bool:
    """Whether two values of JSON are equal; unlike in Python, true is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _texts(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _some(holds: Callable[[str, str], bool], value: Any, answer: str) -> bool:
    return any(holds(text, answer) for text in _texts(value))


def _contains(value: str, answer: str) -> bool:
    return value in answer


def _contains_whatever_case(value: str, answer: str) -> bool:
    return value.lower() in answer.lower()


def _pattern(value: Any, answer: str) -> bool:
    import regex  # Only here: the pages know these checks and run none.

    return regex.search(str(value), answer, timeout=_PATTERN_SECONDS) is not None


def _holds_json(value: Any, answer: str) -> bool:
    """Whether an object of JSON stands anywhere in the answer."""
    decoder = json.JSONDecoder(parse_constant=_no_json)
    for place in (place for place, sign in enumerate(answer) if sign == "{"):
        try:
            decoder.raw_decode(answer, place)
        except (ValueError, RecursionError):
            continue
        return True
    return False


def _is_json(value: Any, answer: str) -> bool:
    try:
        json.loads(answer, parse_constant=_no_json)
    except (ValueError, RecursionError):
        return False
    return True


def _no_json(constant: str) -> Any:
    """NaN and Infinity, which Python would take."""
    raise ValueError(constant)


def _plain(text: str) -> str:
    """In small letters, without punctuation and articles, with single spaces: as OpenAI Evals compares."""
    kept = "".join(sign for sign in text.lower() if sign not in string.punctuation)
    return " ".join(word for word in kept.split() if word not in ("a", "an", "the"))


def _alike(value: str, answer: str) -> bool:
    one, other = _plain(value), _plain(answer)
    return one in other or other in one if one and other else one == other


def _equal_json(value: str, answer: str) -> bool:
    try:
        return same(json.loads(value), json.loads(answer))
    except (ValueError, RecursionError):
        return False


CHECKS: dict[str, Check] = {
    "equals": _equals,
    "contains": lambda value, answer: str(value) in answer,
    "icontains": lambda value, answer: _contains_whatever_case(str(value), answer),
    "contains-any": partial(_some, _contains),
    "icontains-any": partial(_some, _contains_whatever_case),
    "contains-all": lambda value, answer: all(text in answer for text in _texts(value)),
    "icontains-all": lambda value, answer: all(text.lower() in answer.lower() for text in _texts(value)),
    "starts-with": lambda value, answer: answer.startswith(str(value)),
    "regex": _pattern,
    "is-json": _is_json,
    "contains-json": _holds_json,
    # Of OpenAI Evals: a value is one ideal answer or a list, of which one will do.
    "match": partial(_some, lambda value, answer: answer.startswith(value)),
    "includes": partial(_some, _contains),
    "fuzzy-match": partial(_some, _alike),
    "json-match": partial(_some, _equal_json),
}
