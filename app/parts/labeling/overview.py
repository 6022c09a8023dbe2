"""What stands above a project, and the list of all projects."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from app.i18n import say
from app.parts.html import ago, empty, html, number, table
from studio_core.base.studio import Studio
from studio_core.base.tables import LabelProject
from studio_core.labeling import progress, projects


def page_head(language: str) -> Markup:
    return html(
        '<header class="ts-head"><h1>{}</h1><p>{}</p></header>',
        say("labeling.title", language),
        say("labeling.lead", language),
    )


def projects_list(studio: Studio, language: str, *, may_create: bool) -> Markup:
    """All projects with how far they are; those that were put away below, for whom may take them out again."""
    projects_ = projects.all_projects(studio)
    away = [project for project in projects_ if projects.settings_of(project).archived]
    at_work = [project for project in projects_ if project not in away]
    if at_work:
        listed = _table(studio, at_work, language)
    else:
        listed = empty(say("labeling.none" if may_create else "labeling.none_for_you", language))
    if not away or not may_create:
        return listed
    return html(
        '{}<details class="ts-label-away"><summary>{}</summary>{}</details>',
        listed,
        say("labeling.archived", language, n=len(away)),
        _table(studio, away, language),
    )


def _table(studio: Studio, listed: Sequence[LabelProject], language: str) -> Markup:
    heads = [say(f"labeling.col_{name}", language) for name in ("name", "mode", "progress", "votes", "made")]
    rows = []
    for project in listed:
        how = progress.of(studio, project)
        rows.append(
            [
                html(
                    '<a href="/label?project={}">{}</a>{}',
                    project.id,
                    project.name,
                    _of_round(project, language),
                ),
                say(f"labeling.mode_{project.mode}", language),
                say("labeling.done_of", language, done=number(how["done"]), items=number(how["items"])),
                number(projects.settings_of(project).votes),
                ago(project.created_at, language),
            ]
        )
    return table(heads, rows)


def _of_round(project: LabelProject, language: str) -> Markup:
    """What is to be known of a project that compares two models."""
    if not project.round:
        return Markup()
    words = say("labeling.round_listed", language, number=project.round["number"])
    return html(' <span class="ts-muted">{}</span>', words)


def head(project: LabelProject, language: str) -> Markup:
    return html(
        '<header class="ts-head"><p><a href="/label">← {}</a></p><h1>{}</h1></header>',
        say("labeling.all", language),
        project.name,
    )
