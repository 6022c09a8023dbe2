"""Which votes made a model, and which prompts it has seen: so that it is compared on none of those."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from studio_core import methods
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Job, LabelProject, Model
from studio_core.data import versions
from studio_core.labeling import asked_before, projects
from studio_core.labeling.asked_before import Prompts
from studio_core.labeling.exports import OPERATION
from studio_core.models import registry


def versions_of(studio: Studio, project: LabelProject) -> list[Dataset]:
    """What was made of a project's votes, and all that was made of that, newest first."""
    names = {project.name, *(round.name for round in projects.rounds_of(studio, project.id))}
    by_id: dict[int, Dataset] = {}
    # A version is always younger than those it was made from.
    for dataset in sorted(versions.all_datasets(studio), key=lambda dataset: dataset.id):
        options = dataset.made.get("options", {})
        own = dataset.operation == OPERATION and options.get("project") in names
        if own or by_id.keys() & set(dataset.parents):
            by_id[dataset.id] = dataset
    return list(by_id.values())[::-1]


def runs_of(studio: Studio, project: LabelProject) -> list[Job]:
    """Trainings on the project's votes that make a model which answers, newest first."""
    ids = {dataset.id for dataset in versions_of(studio, project)}
    if not ids:
        return []
    dataset_id = Job.spec["run"]["dataset"]["id"].as_integer()
    query = select(Job).where(Job.kind == "train", dataset_id.in_(ids)).order_by(Job.id.desc())
    with studio.db.read() as session:
        runs = session.scalars(query).all()
    return [job for job in runs if methods.writes(job.method)]


def project_of(studio: Studio, job: Job) -> LabelProject | None:
    """The project on whose votes a run was trained; None if it was trained on something else."""
    by_id = {dataset.id: dataset for dataset in versions.all_datasets(studio)}
    waiting, visited = [job.spec.get("run", {}).get("dataset", {}).get("id")], set()
    while waiting:
        dataset = by_id.get(waiting.pop(0))
        if dataset is None or dataset.id in visited:
            continue
        visited.add(dataset.id)
        if dataset.operation == OPERATION:
            named = _named(studio, dataset.made.get("options", {}).get("project", ""))
            if named is not None:
                return projects.root(studio, named)
        waiting += dataset.parents
    return None


def _named(studio: Studio, name: str) -> LabelProject | None:
    with studio.db.read() as session:
        return session.scalar(select(LabelProject).where(LabelProject.name == name))


def prompts_seen(studio: Studio, models: Iterable[Model]) -> Prompts:
    """The prompts that these models, or those they came from, were trained on in this studio."""
    trained: dict[str, Dataset] = {}
    for model in models:
        for ancestor in registry.lineage(studio, model):
            if ancestor.dataset is not None:
                dataset = versions.get(studio, ancestor.dataset)
                trained[dataset.sha256] = dataset
    return asked_before.prompts_in(studio, list(trained.values()))
