"""A training, from the wish to the row in the queue: what the Train page and ``train`` call."""

from __future__ import annotations

from studio_core.training.chains import settle
from studio_core.training.datasets import (
    conversions,
    convert_for,
    converted,
    fitting_datasets,
    has_answers,
    remember,
    returned,
)
from studio_core.training.documents import from_yaml, spec_from, to_command, to_yaml, values_from_yaml
from studio_core.training.history import (
    answers,
    checkpoint_to_resume,
    curve,
    duplicate,
    longer,
    outlined,
    passed_over,
    resume,
    resumed_by,
    resumed_step,
    seconds_at,
    seconds_left,
    spec_of,
)
from studio_core.training.planning import base_of, options_of, plan, scores
from studio_core.training.plans import Plan, Remark
from studio_core.training.recipes import RECIPES, Recipe, spec_for, start
from studio_core.training.starting import prompts_from, submit

__all__ = [
    "RECIPES",
    "Plan",
    "Recipe",
    "Remark",
    "answers",
    "base_of",
    "checkpoint_to_resume",
    "conversions",
    "convert_for",
    "converted",
    "curve",
    "duplicate",
    "fitting_datasets",
    "from_yaml",
    "has_answers",
    "longer",
    "options_of",
    "outlined",
    "passed_over",
    "plan",
    "prompts_from",
    "remember",
    "resume",
    "resumed_by",
    "resumed_step",
    "returned",
    "scores",
    "seconds_at",
    "seconds_left",
    "settle",
    "spec_for",
    "spec_from",
    "spec_of",
    "start",
    "submit",
    "to_command",
    "to_yaml",
    "values_from_yaml",
]
