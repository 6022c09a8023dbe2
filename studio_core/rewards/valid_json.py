"""The answer is one JSON object or list, with or without a fence around it."""

from __future__ import annotations

import json
import re
from typing import Any

from studio_core.rewards.base import Reward, RewardOptions, Score

_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)\n?```", re.DOTALL | re.IGNORECASE)


def valid_json(options: RewardOptions) -> Score:
    return lambda prompt, answer, record: float(isinstance(json_of(answer), dict | list))


def json_of(answer: str) -> Any:
    """The value that an answer is as a whole, in a fence or not; None if it is no JSON."""
    text = answer.strip()
    fenced = _FENCE.fullmatch(text)
    try:
        return json.loads(fenced[1] if fenced else text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


VALID_JSON = Reward("valid_json", valid_json)
