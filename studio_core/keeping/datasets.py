"""Datasets: what is found of them, version by version, and what was made from one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from studio_core.base.errors import Conflict
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, DatasetReport, LabelProject
from studio_core.data.naming import checked_name
from studio_core.keeping import naming, uses
from studio_core.keeping.thing import Dependant, Thing


def rename(session: Session, dataset: Any, name: str) -> None:
    """All versions of the name."""
    name, before = checked_name(name), dataset.name
    if name != before and session.scalar(select(Dataset.id).where(Dataset.name == name).limit(1)):
        raise Conflict("keeping.name_taken", name=name)
    naming.follow(session, ("dataset", "datasets", "data"), before, name)
    session.execute(update(Dataset).where(Dataset.name == before).values(name=name))


def dependants(session: Session, dataset: Any) -> Iterator[Dependant]:
    yield from uses.dependants(session, dataset.id, dataset=True)
    each = func.json_each(Dataset.parents).table_valued("value")
    made_of_it = select(each.c.value).where(each.c.value == dataset.id).exists()
    if made := session.scalars(select(Dataset).where(made_of_it)).all():
        yield Dependant("versions", [f"{one.name}@{one.version}" for one in made])
    projects = select(LabelProject.name).where(LabelProject.dataset_id == dataset.id)
    if named := session.scalars(projects).all():
        yield Dependant("projects", named)


def files(studio: Studio, session: Session, dataset: Any) -> list[Path]:
    """Its records and what was computed of them; nothing, if another dataset has the same records."""
    same = select(Dataset.id).where(Dataset.sha256 == dataset.sha256, Dataset.id != dataset.id)
    if session.scalar(same.limit(1)) is not None:
        return []
    return sorted(studio.settings.datasets.glob(f"{dataset.sha256}.*"))


DATASETS = Thing(
    name="dataset",
    table=Dataset,
    label=lambda dataset: f"{dataset.name}@{dataset.version}",
    searched=(Dataset.name, Dataset.source, Dataset.shape, Dataset.operation),
    lists=(),
    sorts={"name": Dataset.name, "rows": Dataset.rows, "size": Dataset.bytes, "shape": Dataset.shape},
    rename=rename,
    dependants=dependants,
    parts=(DatasetReport.dataset_id,),
    files=files,
)
