"""How an upload to the Hub looks on its own page: the parts that differ from those of a training (``run_view``)."""

from __future__ import annotations

from markupsafe import Markup

from app.i18n import phrases, say
from app.parts import export_view, run_view
from app.parts.html import html
from app.parts.markdown import below, rendered
from studio_core.base.states import TERMINAL, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.exports import pushing

progress = export_view.progress
checkpoints, charts, savable = export_view.checkpoints, export_view.charts, export_view.savable


def result_mark(studio: Studio, job: Job) -> str:
    return "there" if pushing.pushed(job) else ""


def header(studio: Studio, job: Job, language: str) -> Markup:
    """Name, state with its sentence, what goes where, who may read it; once it is there, the way to it."""
    phrase, run = phrases("model_exports.", language), job.spec["run"]
    facts: list[tuple[str, Markup | str]] = [
        (phrase("export"), html('<a href="/runs?run={0}">{0}</a>', run["export"])),
        (phrase("push_to"), job.spec["repo"]),
        (phrase("push_visibility"), phrase("push_public" if job.spec["public"] else "push_private")),
    ]
    done, told = pushing.pushed(job), Markup()
    if done:
        link = html('<a href="{0}" rel="noopener noreferrer" target="_blank">{0}</a>', done.url)
        told = html("{} {}", phrase("push_done"), link)
    return run_view.titled(studio, job, facts, told, language)


def answers(studio: Studio, job: Job, language: str) -> Markup:
    """The card that goes with the files."""
    return card(str(job.spec["run"]["card"]), language)


def card(text: str, language: str) -> Markup:
    """A model card as it reads, without the lines at its head that are for machines."""
    head, _, body = text.removeprefix("---\n").partition("\n---\n")
    return html(
        '<section><h2>{}</h2><div class="ts-card ts-model-card"><pre class="ts-mono">{}</pre>{}</div></section>',
        say("model_exports.push_card", language),
        head,
        below(rendered(body), 2),
    )


def links(studio: Studio, job: Job, language: str) -> Markup:
    return Markup()


def configuration(job: Job, language: str) -> Markup:
    return Markup()


def resumable(job: Job) -> bool:
    return job.state in TERMINAL and job.state != State.SUCCEEDED
