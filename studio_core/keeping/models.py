"""Models: what is found of them, and what is built on one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studio_core.base.errors import Conflict
from studio_core.base.studio import Studio
from studio_core.base.tables import Chat, Evaluation, LabelProject, Model
from studio_core.data.naming import checked_name
from studio_core.keeping import naming, uses
from studio_core.keeping.thing import Dependant, Thing
from studio_core.models.checkpoints import KEY


def rename(session: Session, model: Any, name: str) -> None:
    name = checked_name(name)
    if session.scalar(select(Model.id).where(Model.name == name, Model.id != model.id)):
        raise Conflict("keeping.name_taken", name=name)
    naming.follow(session, ("model", "models", "judge_model", "reward_model"), model.name, name)
    # Its checkpoints were measured as NAME@STEP.
    for row in session.scalars(select(Evaluation).where(Evaluation.model_id == model.id)):
        measured, at, step = row.model.partition("@")
        row.model = f"{name}{at}{step}" if measured == model.name else row.model
    for project in session.scalars(select(LabelProject)):
        sources = [
            {**one, "model": name} if one.get("model") == model.name else one for one in project.sources
        ]
        if sources != project.sources:
            project.sources = sources
    if model.job_id is not None:
        of_its_run = Model.details[KEY]["job"].as_integer() == model.job_id
        for kept in session.scalars(select(Model).where(of_its_run)):
            kept.name = f"{name}@{kept.details[KEY]['step']}"
    model.name = name


def dependants(session: Session, model: Any) -> Iterator[Dependant]:
    if model.source == "demo":
        yield Dependant("demo", [model.name], blocks=True)
    children = session.scalars(select(Model).where(Model.parent_id == model.id)).all()
    for key, kinds in (("adapters", ("adapter",)), ("children", ("base", "full"))):
        if names := [child.name for child in children if child.kind in kinds]:
            # An adapter is nothing without the model that it is on.
            yield Dependant(key, names, blocks=key == "adapters")
    yield from uses.dependants(session, model.id, dataset=False)
    each = func.json_each(Chat.models).table_valued("value")
    names_it = select(each.c.value).where(each.c.value == model.id).exists()
    if chats := session.scalars(select(Chat.title).where(names_it, Chat.title != "")).all():
        yield Dependant("chats", chats)


def files(studio: Studio, session: Session, model: Any) -> list[Path]:
    """The model's folder, if it lies in the data folder and no other row names it; a checkpoint is its run's."""
    folder = Path(model.path)
    if KEY in model.details:
        return []
    others = select(Model.id).where(Model.path == model.path, Model.id != model.id)
    if not folder.is_relative_to(studio.settings.home) or session.scalar(others.limit(1)) is not None:
        return []
    return [folder]


MODELS = Thing(
    name="model",
    table=Model,
    label=lambda model: model.name,
    searched=(Model.name, Model.source, Model.kind),
    lists=(),
    sorts={"name": Model.name, "parameters": Model.parameters, "kind": Model.kind},
    rename=rename,
    dependants=dependants,
    files=files,
)
