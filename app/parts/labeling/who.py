"""Who can answer or judge: the models of the studio and the services of its settings, in one list."""

from __future__ import annotations

from app.i18n import say
from studio_core.base.studio import Studio
from studio_core.generation import services
from studio_core.models import registry

SERVICE = "service:"
"""Begins the values that name a service."""


def choices(studio: Studio, language: str) -> list[tuple[str, str]]:
    """``(label, value)``, models first."""
    models = [(service.name, service.name) for service in registry.writers(studio)]
    listed = services.all_services(studio.settings.home / services.FILE)
    served = [
        (
            say("labeling.making_service", language, name=service.name, model=service.model),
            f"{SERVICE}{service.name}",
        )
        for service in listed
    ]
    return models + served


def judges(studio: Studio, language: str) -> list[tuple[str, str]]:
    """The same and the reward models, which judge and do not answer."""
    scorers = [model.name for model in registry.offered(studio) if registry.scores(model)]
    shown = [(say("labeling.judge_reward_model", language, name=name), name) for name in scorers]
    return choices(studio, language) + shown


def named(value: str) -> dict[str, str]:
    """``{"model": name}`` or ``{"service": name}``."""
    if value.startswith(SERVICE):
        return {"service": value.removeprefix(SERVICE)}
    return {"model": value}
