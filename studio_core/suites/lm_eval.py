"""Tasks of lm-evaluation-harness as suites, ``lm_eval:TASK``: its own program asks, answers and scores.

``lm_eval:TASK:FILTER`` takes the values of one of the task's filters (gsm8k has ``strict-match`` and
``flexible-extract``) in place of its first, ``lm_eval:TASK:FILTER:METRIC`` those of one of its metrics;
``lm_eval:TASK::METRIC`` of the first filter.
"""

from __future__ import annotations

import re

from studio_core.suites.base import Suite, unscored

# No name that begins with a dash, which a program would take for an option.
_NAME = re.compile(
    r"(?!.*:\Z)lm_eval:(?P<task>\w[\w.+-]*)(:(?P<filter>\w[\w.-]*)?(:(?P<metric>\w[\w.-]*))?)?", re.ASCII
)
SCORED_BY = "lm_eval"
PREFIX = "lm_eval:"
"""Of the names of all such suites."""


def suite(name: str) -> Suite | None:
    """The suite of this name; None if it names no task."""
    if _NAME.fullmatch(name) is None:
        return None
    # How many tokens an answer may have, the task says.
    return Suite(name, unscored, scored_by=SCORED_BY, max_tokens=0)


def task(name: str) -> tuple[str, str, str]:
    """Task, filter and metric of a suite's name; empty: the first that the task has."""
    parts = _NAME.fullmatch(name)
    if parts is None:
        raise ValueError(name)
    return parts["task"], parts["filter"] or "", parts["metric"] or ""
