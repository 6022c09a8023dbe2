"""The lineage of a model: the data, votes, runs and models that it came from, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Evaluation, Job, LabelProject, Mark, Model
from studio_core.labeling.exports import OPERATION
from studio_core.models.checkpoints import run_of
from studio_core.models.registry import MERGE

MOST = 60
"""Nodes of a drawing; those nearest to the model that is asked for."""
EVALUATIONS = 3
"""The newest ones of the model that is asked for. Its base was measured after every other training from it."""

Kind = Literal["model", "run", "dataset", "project", "round", "evaluation"]
Key = tuple[Kind, int]
"""``project``: the votes of a labeling project; ``round``: a blind comparison of two models."""
_TABLES: dict[Kind, Any] = {
    "model": Model,
    "run": Job,
    "dataset": Dataset,
    "project": LabelProject,
    "round": LabelProject,
    "evaluation": Job,
}


@dataclass(frozen=True)
class Node:
    kind: Kind
    id: int
    name: str
    about: str = ""
    """Of a run its method, or ``merge``."""
    archived: bool = False

    @property
    def key(self) -> Key:
        return (self.kind, self.id)


@dataclass(frozen=True)
class Lineage:
    nodes: Sequence[Node]
    """The one that is asked for, then what is nearest to it."""
    edges: Sequence[tuple[Key, Key]]
    """From what was there before to what was made of it, or found out of it."""
    more: int
    """Nodes that were left out."""


def of(studio: Studio, model: Model) -> Lineage:
    """All that a model comes from, and all that came of it."""
    with studio.db.read() as session:
        collected = _Collected(session)
        collected.add_models(model.id)
        collected.add_data()
        collected.add_rounds(model.id)
        collected.add_evaluations(model.id)
        edges = list(dict.fromkeys(collected.edges))
        near = _nearest(("model", model.id), edges)
        kept = list(islice(near, MOST))
        return Lineage(
            collected.nodes(kept),
            [edge for edge in edges if {*edge} <= {*kept}],
            sum(1 for _ in near) + collected.left_out,
        )


class _Collected:
    """Edges as they are found, from the models outwards."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._models = {row.id: row for row in session.scalars(select(Model).order_by(Model.id))}
        columns = (
            Dataset.id, Dataset.name, Dataset.version, Dataset.parents, Dataset.operation, Dataset.made,
            Dataset.created_at,
        )  # fmt: skip
        # Not the rows: the rejected records of each may be a megabyte.
        self._datasets = {row.id: row for row in session.execute(select(*columns))}
        self._projects = {row.id: row for row in session.scalars(select(LabelProject))}
        self._jobs: dict[int, Job] = {}
        self.edges: list[tuple[Key, Key]] = []
        self.left_out = 0

    def add_models(self, asked: int) -> None:
        """Ancestors and descendants, with the runs between them and the models that had other roles there."""
        parents = {
            id: [one for one in _parents(row) if one in self._models] for id, row in self._models.items()
        }
        children: dict[int, list[int]] = {}
        for child, its in parents.items():
            for parent in its:
                children.setdefault(parent, []).append(child)
        family = {asked} | _reached(asked, parents) | _reached(asked, children)
        runs = {id: run_of(self._models[id]) for id in family}
        wanted = [run for run in runs.values() if run is not None]
        self._jobs = {job.id: job for job in self._session.scalars(select(Job).where(Job.id.in_(wanted)))}
        for child in sorted(family):
            before = [one for one in parents[child] if one in family]
            run = self._jobs.get(runs[child] or 0)
            if run is None:
                self.edges += [(("model", parent), ("model", child)) for parent in before]
                continue
            others = [one["id"] for one in run.spec.get("run", {}).get("models", {}).values()]
            before += [one for one in others if one in self._models]
            self.edges += [(("model", parent), ("run", run.id)) for parent in before]
            self.edges.append((("run", run.id), ("model", child)))

    def add_data(self) -> None:
        """What each run was trained on, and what that was made from, down to imports and votes."""
        for job in self._jobs.values():
            run = job.spec.get("run", {})
            roles = filter(None, (run.get("dataset"), *run.get("data", {}).values()))
            ids = {one["id"] for one in roles} & self._datasets.keys()
            self.edges += [(("dataset", id), ("run", job.id)) for id in sorted(ids)]
        met, waiting = set[int](), [key[1] for key, _ in self.edges if key[0] == "dataset"]
        while waiting:
            if (id := waiting.pop()) in met:
                continue
            met.add(id)
            parents = [one for one in self._datasets[id].parents if one in self._datasets]
            made_of = self._votes_of(id) or [("dataset", one) for one in parents]
            self.edges += [(key, ("dataset", id)) for key in made_of]
            for key in made_of:
                prompts = key[1] if key[0] == "dataset" else self._projects[key[1]].dataset_id
                if prompts is None or prompts not in self._datasets:
                    continue
                waiting.append(prompts)
                if key[0] != "dataset":
                    self.edges.append((("dataset", prompts), key))

    def _votes_of(self, id: int) -> list[Key]:
        """The project whose votes a dataset is, and its comparisons that were there by then."""
        dataset = self._datasets[id]
        named = dataset.made.get("options", {}).get("project") if dataset.operation == OPERATION else None
        project = next((one for one in self._projects.values() if one.name == named), None)
        if project is None:
            return []
        rounds = [
            one.id
            for one in self._projects.values()
            if one.round.get("project") == project.id and one.created_at < dataset.created_at
        ]
        own: Key = ("round" if project.round else "project", project.id)
        return [own, *(("round", one) for one in rounds)]

    def add_rounds(self, asked: int) -> None:
        """Comparisons of two models: by people, blind."""
        models = self._drawn_models(asked)
        for project in self._projects.values():
            two = [project.round.get("before"), project.round.get("after")]
            # A base is compared with models of other families too.
            if asked in two or models.issuperset(two):
                self.edges += [(("model", one), ("round", project.id)) for one in two if one in models]

    def add_evaluations(self, asked: int) -> None:
        """Those of the model that is asked for, with the others of its family that they measured too."""
        measured = select(Evaluation.job_id).where(Evaluation.model_id == asked).distinct()
        jobs = self._session.scalars(measured.order_by(Evaluation.job_id.desc())).all()
        drawn = jobs[:EVALUATIONS]
        self.left_out = len(jobs) - len(drawn)
        models = self._drawn_models(asked)
        query = select(Evaluation.model_id, Evaluation.job_id).where(Evaluation.job_id.in_(drawn))
        for row in self._session.execute(query.distinct().order_by(Evaluation.job_id.desc())):
            if row.model_id in models:
                self.edges.append((("model", row.model_id), ("evaluation", row.job_id)))

    def _drawn_models(self, asked: int) -> set[int]:
        return {asked} | {key[1] for edge in self.edges for key in edge if key[0] == "model"}

    def nodes(self, keys: Sequence[Key]) -> list[Node]:
        away = {
            tuple(row) for row in self._session.execute(select(Mark.table, Mark.row_id).where(Mark.archived))
        }
        measured = [id for kind, id in keys if kind == "evaluation"]
        jobs = {**self._jobs}
        jobs |= {job.id: job for job in self._session.scalars(select(Job).where(Job.id.in_(measured)))}
        return [
            Node(
                kind,
                id,
                self._name(kind, id, jobs),
                self._about(jobs[id]) if kind == "run" else "",
                (_TABLES[kind].__tablename__, id) in away,
            )
            for kind, id in keys
        ]

    def _name(self, kind: Kind, id: int, jobs: Mapping[int, Job]) -> str:
        if kind == "dataset":
            dataset = self._datasets[id]
            return f"{dataset.name}@{dataset.version}"
        rows: Mapping[int, Any] = {"model": self._models, "run": jobs, "evaluation": jobs}.get(
            kind, self._projects
        )
        return str(rows[id].name)

    @staticmethod
    def _about(job: Job) -> str:
        return job.method or job.kind


def _parents(model: Model) -> list[int]:
    """What it was trained from, and of a merge all its adapters."""
    merged = [one["id"] for one in model.details.get(MERGE, {}).get("adapters", []) if one.get("id")]
    return list(dict.fromkeys(([model.parent_id] if model.parent_id else []) + merged))


def _reached(start: int, ways: Mapping[int, Iterable[int]]) -> set[int]:
    met, edge = set[int](), [start]
    while edge:
        # Each once: a circle in the rows, by a hand that edited them, ends here.
        edge = [one for id in edge for one in ways.get(id, ()) if one not in met]
        met |= set(edge)
    return met


def _nearest(start: Key, edges: Iterable[tuple[Key, Key]]) -> Iterator[Key]:
    """Every node, by the number of edges between it and ``start``."""
    beside: dict[Key, list[Key]] = {}
    for one, other in edges:
        beside.setdefault(one, []).append(other)
        beside.setdefault(other, []).append(one)
    met, edge = {start}, [start]
    while edge:
        yield from edge
        edge = sorted({other for one in edge for other in beside.get(one, ())} - met)
        met |= set(edge)
