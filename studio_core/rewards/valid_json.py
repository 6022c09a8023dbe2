"""The answer is one JSON object or list, with or without a fence around it."""

from __future__ import annotations

import json
import re
from typing import Any

from studio_core.rewards.base import Reward

_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)\n?```", re.DOTALL | re.IGNORECASE)


def valid_json(_: str) -> Reward:
    def reward(prompt: str, answer: str, record: dict[str, Any]) -> float:
        text = answer.strip()
        fenced = _FENCE.fullmatch(text)
        try:
            value = json.loads(fenced[1] if fenced else text, parse_constant=_refuse)
        except (ValueError, RecursionError):
            return 0.0
        return float(isinstance(value, dict | list))

    return reward


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
