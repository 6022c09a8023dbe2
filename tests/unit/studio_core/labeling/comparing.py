"""Two or more models, answers of theirs to judge, and people who judge them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from studio_core.data.shapes import Message
from studio_core.labeling import projects
from studio_core.labeling.assignment import next_item
from studio_core.labeling.items import Answer, NewItem, add
from studio_core.labeling.votes import Verdict, cast
from studio_core.studio import Studio
from studio_core.tables import LabelItem, LabelProject, Model


def add_model(studio: Studio, name: str, parent: Model | None = None, job_id: int | None = None) -> Model:
    """A row of the registry; there are no files behind it."""
    with studio.db.write() as session:
        model = Model(
            name=name,
            kind="full" if parent else "base",
            path=f"/nowhere/{name}",
            parent_id=parent.id if parent else None,
            job_id=job_id,
            source="test",
            parameters=1,
            details={},
        )
        session.add(model)
        return model


def asked(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


def pair(prompt: str, one: Model, other: Model) -> NewItem:
    """An item in which each model says its name."""
    answers = [Answer(f"{model.name} on {prompt}", model.name, model=model.id) for model in (one, other)]
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
