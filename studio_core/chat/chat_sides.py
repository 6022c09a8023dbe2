"""Who stands on a side of a conversation: a model of the studio by its id, or a service by its name."""

from __future__ import annotations

from dataclasses import dataclass

from studio_core.base.errors import BadInput, NotFound
from studio_core.base.studio import Studio
from studio_core.generation import services, serving
from studio_core.generation.services import Service
from studio_core.models import registry

Side = int | str
"""The id of a model, or ``service:NAME``."""
_SERVICE = "service:"


@dataclass(frozen=True)
class ToService:
    """One side of a round that a service answers."""

    service: Service
    messages: list[dict[str, str]]


def find_side(studio: Studio, name: str | int, *, add: bool = False) -> Side:
    """The side that is meant; with ``add`` a model may be named by its folder, and a checkpoint by ``NAME@STEP``: it
    is listed from then on."""
    if isinstance(name, str) and name.startswith(_SERVICE):
        return f"{_SERVICE}{_service(studio, name).name}"
    model = (registry.find_or_add if add else registry.get)(studio, name)
    # A reward model has nothing to say.
    if registry.scores(model):
        raise BadInput("models.scores_only", model=model.name)
    return model.id


def checked(studio: Studio, name: str | int) -> str:
    """What names it among the choices; raises what keeps it from answering. A checkpoint may be named as well."""
    if isinstance(name, str) and name.startswith(_SERVICE):
        return f"{_SERVICE}{_service(studio, name).name}"
    model = registry.find(studio, name)
    if registry.scores(model):
        raise BadInput("models.scores_only", model=model.name)
    return model.name


def name_of(studio: Studio, side: Side) -> str:
    """What is shown of it where names are shown."""
    if isinstance(side, int):
        return registry.get(studio, side).name
    return _service(studio, side).name


def value_of(studio: Studio, side: Side) -> str | None:
    """What names it to ``find_side``; None if it is not there any more."""
    try:
        return side if isinstance(side, str) and _service(studio, side) else registry.get(studio, side).name
    except NotFound:
        return None


def services_to_ask(studio: Studio) -> list[tuple[str, str]]:
    """``(label, name for find_side)`` of the services, which are chosen from beside the models."""
    kept = services.all_services(studio.settings.home / services.FILE)
    return [(f"{one.name} ({one.model})", f"{_SERVICE}{one.name}") for one in kept]


def names(studio: Studio, side: Side) -> list[str]:
    """All names by which an answer could give it away: its own, and those of what it was made from."""
    try:
        if isinstance(side, str):
            service = _service(studio, side)
            return [service.name, service.model]
        return [one.model.name for one in registry.lineage(studio, registry.get(studio, side))]
    except NotFound:
        return []


def question(studio: Studio, side: Side, messages: list[dict[str, str]]) -> serving.Question | ToService:
    if isinstance(side, str):
        return ToService(_service(studio, side), messages)
    return serving.Question(registry.resolve(studio, side), messages)


def _service(studio: Studio, side: str) -> Service:
    return services.get(studio.settings.home / services.FILE, side.removeprefix(_SERVICE))
