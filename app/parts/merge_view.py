"""How a merge of adapters looks on its own page: the parts that differ from those of a training (``run_view``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from markupsafe import Markup

from app.i18n import say
from app.parts import run_view, run_words
from app.parts.html import html, table
from studio_core.base.states import TERMINAL, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.methods.base import Chart
from studio_core.models import registry

result_mark = run_view.result_mark


def summed(adapters: Mapping[str, float]) -> str:
    """Adapters by name with their weights, as a sum: ``0.7 × poet + 0.3 × chat``."""
    return " + ".join(f"{weight:g} × {name}" for name, weight in adapters.items())


def header(studio: Studio, job: Job, language: str) -> Markup:
    """Name, state with its sentence, what is merged on which base, and where the result is."""
    facts: list[tuple[str, Markup | str]] = [
        (say("models.merge.method", language), say(f"models.merge.method.{job.method}", language)),
        (say("models.merge.adapters", language), summed(job.spec["adapters"])),
        (say("runs.model", language), job.spec["model"]),
    ]
    result = registry.result_of(studio, job.id)
    made = html(say("runs.made", language), html('<a href="/models">{}</a>', result.name)) if result else ""
    return run_view.titled(studio, job, facts, made, language)


def progress(studio: Studio, job: Job, language: str) -> Markup:
    # It has no steps: PEFT merges all layers in one call.
    time = run_words.time_of(job, language)
    return html('<div class="ts-progress"><span class="ts-progress-time">{}</span></div>', time)


def links(studio: Studio, job: Job, language: str) -> Markup:
    """Once there is a result: to chat, with the base beside it."""
    result = registry.result_of(studio, job.id)
    if result is None:
        return Markup()
    # Chat compares few side by side; the base and the result are always among them.
    names = (job.spec["model"], result.name)
    return html(
        '<a class="ts-button ts-button-primary" id="run-compare" href="/chat?models={}">{}</a>',
        ",".join(quote(name, safe="") for name in names),
        say("runs.compare", language),
    )


def configuration(job: Job, language: str) -> Markup:
    options = {**job.spec["run"]["options"], "seed": job.spec["seed"]}
    rows = [[html("<code>{}</code>", name), str(value)] for name, value in options.items()]
    heads = [say("runs.option", language), say("runs.value", language)]
    return html("<h2>{}</h2>{}", say("runs.configuration", language), table(heads, rows))


def charts(job: Job) -> Sequence[Chart]:
    return ()


def answers(studio: Studio, job: Job, language: str) -> Markup:
    return Markup()


def checkpoints(job: Job, language: str) -> Markup:
    return Markup()


def savable(job: Job) -> bool:
    """There is nothing half done to save."""
    return False


def resumable(job: Job) -> bool:
    return job.state in TERMINAL and job.state != State.SUCCEEDED
