"""A training, from the wish to the row in the queue: what the Train page and ``train`` call."""

from __future__ import annotations

from studio_core.chains import result_of, settle
from studio_core.training.documents import from_yaml, spec_from, to_command, to_yaml, values_from_yaml
from studio_core.training.history import (
    answers,
    checkpoint_to_resume,
    curve,
    duplicate,
    outlined,
    passed_over,
    resume,
    resumed_by,
    resumed_step,
    seconds_left,
    spec_of,
)
from studio_core.training.planning import Plan, Remark, base_of, fitting_datasets, options_of, plan, scores
from studio_core.training.starting import prompts_from, submit

__all__ = [
    "Plan",
    "Remark",
    "answers",
    "base_of",
    "checkpoint_to_resume",
    "curve",
    "duplicate",
    "fitting_datasets",
    "from_yaml",
    "options_of",
    "outlined",
    "passed_over",
    "plan",
    "prompts_from",
    "result_of",
    "resume",
    "resumed_by",
    "resumed_step",
    "scores",
    "seconds_left",
    "settle",
    "spec_from",
    "spec_of",
    "submit",
    "to_command",
    "to_yaml",
    "values_from_yaml",
]
