"""Checkpoints that are measured beside their model; it takes no row of its own to be asked."""

from __future__ import annotations

from studio_core.base.studio import Studio
from studio_core.models import registry
from studio_core.models.checkpoints import KEY
from studio_core.runs.spec import ResolvedModel


def resolve(studio: Studio, name: str) -> ResolvedModel:
    """A model by its name, or one of its checkpoints; raises what keeps it from answering."""
    model = registry.find_or_describe(studio, name)
    if model.id is not None or KEY not in model.details:
        return registry.resolve(studio, name)
    # What it reaches is known by the model that it became.
    result = registry.result_of(studio, model.details[KEY]["job"])
    return registry.resolve_row(studio, model).model_copy(update={"id": result.id if result else None})
