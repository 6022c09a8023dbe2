"""Choices that a form offers for a dataset: known only when it is open, since they lie in the data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import gradio as gr

from app.i18n import say
from app.parts.html import number
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Model
from studio_core.curation import columns as curation_columns
from studio_core.curation import features, improving
from studio_core.data import versions
from studio_core.generation import services
from studio_core.models import registry
from studio_core.options import ChoicesOf, OptionField
from studio_core.reports import judging
from studio_core.reports.findings import FINDINGS

Choices = list[tuple[str, str]]
"""``(label, value)``."""

NONE = ("–", "")


def named_models(studio: Studio, models: Iterable[Model], language: str) -> Choices:
    """Models by their names; of those that are archived, and offered since something names them, that is said."""
    away = registry.archived(studio)
    return [
        (say("keeping.archived_choice", language, name=one.name) if one.id in away else one.name, one.name)
        for one in models
    ]


def models(studio: Studio, dataset: Dataset | None, language: str) -> Choices:
    return [NONE, *((model.name, model.name) for model in registry.writers(studio))]


def reward_models(studio: Studio, dataset: Dataset | None, language: str) -> Choices:
    # Several may be chosen, or none: no line stands for none.
    return [(model.name, model.name) for model in registry.offered(studio) if registry.scores(model)]


def known_services(studio: Studio, dataset: Dataset | None, language: str) -> Choices:
    listed = services.all_services(studio.settings.home / services.FILE)
    return [NONE, *((f"{service.name} ({service.model})", service.name) for service in listed)]


def datasets(studio: Studio, dataset: Dataset | None, language: str) -> Choices:
    names = [f"{version.name}@{version.version}" for version in versions.offered(studio)]
    return [(name, name) for name in names]


def columns(studio: Studio, dataset: Dataset, language: str) -> Choices:
    """Those of the records, and what the report knows of each."""
    source = improving.source_of(studio, dataset)
    return [(name, name) for name in dict.fromkeys([*curation_columns.of(source), *features.NAMES])]


def languages(studio: Studio, dataset: Dataset, language: str) -> Choices:
    """Those that the report found, with the number of records."""
    rows = _report(studio, dataset).get("languages", {}).get("rows", {})
    return [(f"{code} ({number(count)})", code) for code, count in rows.items() if code]


def findings(studio: Studio, dataset: Dataset, language: str) -> Choices:
    """What the report found, with the number of records; without one, all that it looks for."""
    counts = _report(studio, dataset).get("findings")
    if counts is None:
        return [(_finding(name, language), name) for name in FINDINGS]
    return [
        (f"{_finding(finding['name'], language)} ({number(finding['rows'])})", finding["name"])
        for finding in counts
        if finding["rows"]
    ]


def _finding(name: str, language: str) -> str:
    return say(f"reports.finding_{name}", language)


def _report(studio: Studio, dataset: Dataset) -> dict[str, Any]:
    report = judging.report_of(studio, dataset.id)
    return report.body if report else {}


_EVERYWHERE: dict[ChoicesOf, Callable[[Studio, Dataset | None, str], Choices]] = {
    "models": models,
    "reward_models": reward_models,
    "services": known_services,
    "datasets": datasets,
}
OFFERED: dict[ChoicesOf, Callable[[Studio, Dataset, str], Choices]] = {
    **_EVERYWHERE,
    "columns": columns,
    "languages": languages,
    "findings": findings,
}


def everywhere(studio: Studio, fields: Sequence[OptionField], language: str) -> dict[str, Choices]:
    """What there is to choose from for those of ``fields`` that do not depend on a dataset, by ``choices_of``."""
    wanted = {field.choices_of for field in fields} & _EVERYWHERE.keys()
    offers = {name: _EVERYWHERE[name](studio, None, language) for name in wanted}
    return {name: [choice for choice in choices if choice != NONE] for name, choices in offers.items()}


def filled(studio: Studio, dataset: Dataset, fields: list[OptionField], language: str) -> list[Any]:
    """An update for the component of each field: the choices that there are now."""
    offers: dict[ChoicesOf, Choices] = {}
    updates: list[Any] = []
    for field in fields:
        offer = OFFERED.get(field.choices_of)
        if offer is None:
            updates.append(gr.update())
            continue
        if field.choices_of not in offers:
            offers[field.choices_of] = offer(studio, dataset, language)
        updates.append(gr.update(choices=offers[field.choices_of]))
    return updates
