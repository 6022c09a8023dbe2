"""The answer is one JSON object or list, with or without a fence around it."""

from __future__ import annotations

import json
import re
from typing import Any

from studio_core.data.shapes import Record
from studio_core.rewards.base import Reward, RewardOptions, Score

_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)\n?```", re.DOTALL | re.IGNORECASE)


def valid_json(options: RewardOptions) -> Score:
    def score(prompt: str, answer: str, record: Record) -> float:
        text = answer.strip()
        fenced = _FENCE.fullmatch(text)
        try:
            value = json.loads(fenced[1] if fenced else text, parse_constant=_refuse)
        except (ValueError, RecursionError):
            return 0.0
        return float(isinstance(value, dict | list))

    return score


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


VALID_JSON = Reward("valid_json", valid_json)
