"""The datasets of the Train page: those to choose from, and what can be done with the others."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from app.i18n import say
from app.parts import data_view
from app.parts.html import empty, html, join, notice, number
from studio_core import training
from studio_core.base.errors import NotFound, StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Job
from studio_core.data import store
from studio_core.training.datasets import Conversion

CONVERT = """
element.addEventListener('click', (event) => {
	const button = event.target.closest('[data-convert]');
	if (button) trigger('convert', { dataset: Number(button.dataset.convert) });
});
"""


def address(dataset: Dataset) -> str:
    return f"{dataset.name}@{dataset.version}"


def named(studio: Studio, asked: str) -> Dataset | None:
    """The dataset that the page's address asks for."""
    try:
        return store.get(studio, asked) if asked else None
    except NotFound:  # Said already.
        return None


def fitting(studio: Studio, method: str, also: str = "") -> list[str]:
    """Datasets that the method takes, newest first; of those that are archived only ``also``."""
    known = training.fitting_datasets(studio, method, also)
    return [address(dataset) for dataset, reason in known if reason is None]


def unfit(studio: Studio, method: str, language: str, asked: Dataset | None = None) -> Markup:
    """What can be converted for the method, and why the others do not fit.

    The dataset that was ``asked`` for comes first, and so does all that can be converted where nothing fits.
    """
    known = training.fitting_datasets(studio, method)
    if not known:
        return empty(say("train.no_datasets", language), (say("train.to_data", language), "/data"))
    ways = training.conversions(studio, method)
    convertible = {way.dataset.id for way in ways}
    misfits = [(dataset, reason) for dataset, reason in known if reason is not None]
    reasons = [reason for dataset, reason in misfits if dataset.id not in convertible]
    first = (
        ways if len(misfits) == len(known) else [way for way in ways if asked and way.dataset.id == asked.id]
    )
    later = [way for way in ways if way not in first]
    alone = (
        asked
        if asked and not training.has_answers(asked.shape) and address(asked) not in fitting(studio, method)
        else None
    )
    parts = [_without_answers(alone, language)] if alone else []
    if first:
        title = say("train.can_be_converted", language, method=method.upper())
        parts.append(html('<section class="ts-card"><p>{}</p>{}</section>', title, _offers(first, language)))
    if later or reasons:
        parts.append(
            html(
                '<details class="ts-unfit"><summary>{}</summary>{}<ul>{}</ul></details>',
                say("train.unfit", language, count=number(len(later) + len(reasons))),
                _offers(later, language),
                join(html("<li>{}</li>", reason.sentence(language)) for reason in reasons),
            )
        )
    return html('<div class="ts-stack">{}</div>', join(parts)) if parts else Markup()


def _offers(ways: Sequence[Conversion], language: str) -> Markup:
    """Each with the button that converts it."""
    return join(
        html(
            '<div class="ts-row ts-offer"><button type="button" class="ts-button" data-convert="{}">{}</button>'
            '<span>{} <span class="ts-muted">{} → {}</span></span></div>',
            way.dataset.id,
            say("train.convert", language),
            address(way.dataset),
            data_view.shape_name(way.dataset.shape, language),
            data_view.shape_name(way.to, language),
        )
        for way in ways
    )


def _without_answers(asked: Dataset, language: str) -> Markup:
    sentence = say("train.without_answers", language, dataset=address(asked))
    ways = data_view.ways_to_train(asked, language)
    return notice("info", html('{}<div class="ts-actions">{}</div>', sentence, ways))


def converting(job: Job, language: str) -> Markup:
    return notice("info", html("{} {}", say("train.converting", language), _to_job(job.id, language)))


def not_converted(job: int, error: StudioError, language: str) -> Markup:
    return notice("bad", html("{} {}", error.sentence(language), _to_job(job, language)))


def _to_job(job: int, language: str) -> Markup:
    return html('<a href="/runs?run={}">{}</a>', job, say("curation.to_job", language, job=job))
