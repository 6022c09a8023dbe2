"""The family of a model: what it was made from, over all generations, and what was made from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from studio_core.base.studio import Studio
from studio_core.base.tables import Job, Model
from studio_core.models.checkpoints import run_of
from studio_core.models.registry import MERGE

MOST = 60
"""Models of a drawing; those nearest to the one that is asked for."""


@dataclass(frozen=True)
class Descent:
    """One model was made from another."""

    parent: int
    child: int
    how: str
    """The training's method, ``merge``, or nothing."""


@dataclass(frozen=True)
class Family:
    models: Sequence[Model]
    generation: dict[int, int]
    """By id: 0 for the one that is asked for, below 0 for those before it."""
    descents: Sequence[Descent]
    more: int
    """Models that were left out."""


def of(studio: Studio, model: Model) -> Family:
    """All that a model comes from, and all that came of it."""
    with studio.db.read() as session:
        known = {row.id: row for row in session.scalars(select(Model).order_by(Model.id))}
        methods: dict[int | None, str] = {
            row.id: row.method or "" for row in session.execute(select(Job.id, Job.method))
        }
    descents = [
        Descent(parent, child.id, "merge" if child.details.get(MERGE) else methods.get(run_of(child), ""))
        for child in known.values()
        for parent in _parents(child)
        if parent in known
    ]
    generation = {model.id: 0}
    for step, ahead, behind in ((-1, "child", "parent"), (1, "parent", "child")):
        edge = [model.id]
        while edge:
            # Each model once: a circle in the rows, by a hand that edited them, ends here.
            found = {
                getattr(one, behind): generation[getattr(one, ahead)] + step
                for one in descents
                if getattr(one, ahead) in edge and getattr(one, behind) not in generation
            }
            generation |= found
            edge = list(found)
    nearest = sorted(generation, key=lambda id: (abs(generation[id]), id))
    kept = set(nearest[:MOST])
    return Family(
        [known[id] for id in nearest if id in kept],
        {id: place for id, place in generation.items() if id in kept},
        [one for one in descents if {one.parent, one.child} <= kept],
        len(nearest) - len(kept),
    )


def _parents(model: Model) -> list[int]:
    """What it was trained from, and of a merge all its adapters."""
    merged = [one["id"] for one in model.details.get(MERGE, {}).get("adapters", []) if one.get("id")]
    return list(dict.fromkeys(([model.parent_id] if model.parent_id else []) + merged))
