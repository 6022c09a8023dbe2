"""Two or more models, answers of theirs to judge, and people who judge them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import select

from studio_core.base import clock
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Annotation, Dataset, Job, LabelItem, LabelProject, Model
from studio_core.data.shapes import Message
from studio_core.labeling import projects
from studio_core.labeling.assignment import next_item
from studio_core.labeling.items import Answer, NewItem, add
from studio_core.labeling.votes import Verdict, cast
from studio_core.runs import queue


def add_model(
    studio: Studio, name: str, parent: Model | None = None, job_id: int | None = None, path: str = ""
) -> Model:
    """A row of the registry; without a path there are no files behind it."""
    with studio.db.write() as session:
        model = Model(
            name=name,
            kind="full" if parent else "base",
            path=path or f"/nowhere/{name}",
            parent_id=parent.id if parent else None,
            job_id=job_id,
            source="test",
            parameters=1,
            details={},
        )
        session.add(model)
        return model


def trained(
    studio: Studio, name: str, base: Model, dataset: Dataset, method: str = "dpo"
) -> tuple[Job, Model]:
    """A run on the dataset that has succeeded, and what it made: a model with the files of its base."""
    named = {"id": dataset.id, "name": dataset.name, "version": dataset.version}
    run = {"dataset": named, "model": {"id": base.id}}
    job = queue.submit(studio, kind="train", name=name, method=method, spec={"tuning": "full", "run": run})
    with studio.db.write() as session:
        row = session.get_one(Job, job.id)
        row.state, row.finished_at = State.SUCCEEDED, clock.now()
    return job, add_model(studio, name, base, job.id, base.path)


def asked(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


def pair(prompt: str, one: Model, other: Model) -> NewItem:
    """An item in which each model says its name."""
    answers = [
        Answer(f"{model.name} on {prompt}, {said}", model.name, model=model.id)
        for model, said in ((one, "first"), (other, "second"))
    ]
    return NewItem(asked(prompt), answers)


def judged(
    studio: Studio,
    project: LabelProject,
    verdicts: Callable[[LabelItem], str] | Sequence[str],
    annotator: str = "anna",
) -> None:
    """Judge all that is left for an annotator: ``a`` and ``b`` are the item's own answers."""
    said = iter(verdicts) if not callable(verdicts) else None
    while (shown := next_item(studio, project.id, annotator)) is not None:
        verdict = next(said, "") if said is not None else verdicts(shown.item)  # type: ignore[operator]
        if not verdict:
            return
        if verdict in ("a", "b"):
            verdict = ("left", "right")[shown.order.index("ab".index(verdict))]
        cast(studio, project.id, annotator, shown.item.id, Verdict(verdict))


def judged_at_once(
    studio: Studio,
    project: LabelProject,
    verdict: Callable[[LabelItem], str],
    annotator: str = "anna",
    limit: int = 10**6,
) -> None:
    """As ``judged``, for projects of one vote, in one transaction: many votes in little time."""
    with studio.db.write() as session:
        query = select(LabelItem).where(LabelItem.project_id == project.id, LabelItem.votes == 0)
        for item in session.scalars(query.order_by(LabelItem.number).limit(limit)).all():
            item.votes = 1
            session.add(
                Annotation(
                    project_id=project.id,
                    item_id=item.id,
                    annotator=annotator,
                    verdict=verdict(item),
                    order=[0, 1],
                    seconds=5.0,
                )
            )


def compared(
    studio: Studio,
    name: str,
    pairs: Sequence[NewItem],
    round: dict[str, object] | None = None,
    **settings: object,
) -> LabelProject:
    one = projects.create(studio, name, settings={"repeats": 0.0, **settings}, round=round)
    add(studio, one.id, pairs)
    return one


def rated(studio: Studio, name: str, model: Model, count: int) -> LabelProject:
    """A project of that many answers of the model, each rated."""
    one = projects.create(studio, name, mode="rate", settings={"repeats": 0.0})
    answers = (Answer(f"{model.name}, answer {n}", model.name, model=model.id) for n in range(count))
    add(studio, one.id, [NewItem(asked(f"q{n}"), [answer]) for n, answer in enumerate(answers)])
    while (shown := next_item(studio, one.id, "anna")) is not None:
        cast(studio, one.id, "anna", shown.item.id, Verdict("rated", rating=1 + shown.item.number % 10))
    return one
