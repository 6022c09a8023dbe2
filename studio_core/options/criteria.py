"""What counts for a judge, as a user writes it: one criterion a line, ``name weight: what counts``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from studio_core.base.errors import BadInput

MOST_CRITERIA = 8
"""Each is a question about each answer."""
_CRITERION = re.compile(r"\s*([\w-]{1,40})(?:\s+(\d+(?:\.\d+)?))?\s*[:：]\s*(\S.*)")
"""``name: what counts`` or ``name 0.5: what counts``"""


@dataclass(frozen=True)
class Criterion:
    name: str
    """Empty: it is the only one."""
    weight: float
    text: str
    """What counts; empty: what counts commonly."""


def criteria_of(text: str) -> list[Criterion]:
    """The criteria of a text: one a line that begins with a name, each up to the next; a text that does not begin with
    a name is one criterion. Raises ``BadInput`` of names that stand twice, weights of 0 and too many criteria."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines or not _CRITERION.fullmatch(lines[0]):
        return [Criterion("", 1.0, text.strip())]
    criteria: list[Criterion] = []
    for line in lines:
        if match := _CRITERION.fullmatch(line):
            criteria.append(Criterion(match[1], float(match[2] or 1), match[3].strip()))
        else:
            last = criteria.pop()
            criteria.append(Criterion(last.name, last.weight, f"{last.text}\n{line.strip()}"))
    names = [criterion.name for criterion in criteria]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise BadInput("rewards.criterion_twice", name=twice)
    if idle := next((criterion.name for criterion in criteria if not criterion.weight), ""):
        raise BadInput("rewards.criterion_weight", name=idle)
    if len(criteria) > MOST_CRITERIA:
        raise BadInput("rewards.too_many_criteria", count=len(criteria), most=MOST_CRITERIA)
    return criteria
