"""Choices that a form offers for a dataset: known only when it is open, since they lie in the data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from studio_core.data import versions
from studio_core.methods.base import ChoicesOf, OptionField
from studio_core.models import registry
from studio_core.studio import Studio
from studio_core.tables import Dataset

Choices = list[tuple[str, str]]
"""``(label, value)``."""


def models(studio: Studio, dataset: Dataset) -> Choices:
    return [(model.name, model.name) for model in registry.all_models(studio)]


def datasets(studio: Studio, dataset: Dataset) -> Choices:
    names = [f"{one.name}@{one.version}" for one in versions.all_datasets(studio)]
    return [(name, name) for name in names]


OFFERED: dict[ChoicesOf, Callable[[Studio, Dataset], Choices]] = {"models": models, "datasets": datasets}


def filled(studio: Studio, dataset: Dataset, fields: list[OptionField]) -> list[Any]:
    """An update for the component of each field: the choices that there are now."""
    known: dict[ChoicesOf, Choices] = {}
    updates: list[Any] = []
    for field in fields:
        offer = OFFERED.get(field.choices_of)
        if offer is None:
            updates.append(gr.update())
            continue
        if field.choices_of not in known:
            known[field.choices_of] = offer(studio, dataset)
        updates.append(gr.update(choices=known[field.choices_of]))
    return updates
