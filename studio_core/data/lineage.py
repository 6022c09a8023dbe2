"""The history of a dataset: the versions that it came from, and those that were made of it."""

from __future__ import annotations

from collections.abc import Sequence

from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.data import versions


def family(studio: Studio, dataset: Dataset) -> list[Dataset]:
    """All versions that are connected with this one, by name or by descent, newest first."""
    known = versions.all_datasets(studio)
    found = {dataset.id}
    # By name and by descent, until nothing new comes: a version may have parents of other names.
    while True:
        grown = found | _next_of_kin(known, found)
        if grown == found:
            return [one for one in known if one.id in found]
        found = grown


def _next_of_kin(known: Sequence[Dataset], found: set[int]) -> set[int]:
    names = {one.name for one in known if one.id in found}
    parents = {parent for one in known if one.id in found for parent in one.parents}
    return {one.id for one in known if one.name in names or one.id in parents or found & set(one.parents)}


def before(studio: Studio, dataset: Dataset) -> Dataset | None:
    """The version that this one is best compared with: what it was made from, else the one before it."""
    known = versions.all_datasets(studio)
    made_from = [one for one in known if one.id in dataset.parents]
    older = [one for one in known if one.name == dataset.name and one.version < dataset.version]
    return next(iter([*made_from, *older]), None)


def after(studio: Studio, dataset: Dataset) -> list[Dataset]:
    """What came after this version: newer ones of its name, and all that was made of it; newest first."""
    return [
        one
        for one in versions.all_datasets(studio)
        if (one.name == dataset.name and one.version > dataset.version) or dataset.id in one.parents
    ]
