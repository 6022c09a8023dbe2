"""What stands above a project, and the list of all projects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from markupsafe import Markup

from app.i18n import say
from app.parts.html import ago, empty, html, notice, number
from app.parts.keeping import bar, columns, marks_view
from app.parts.keeping.columns import Columns
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import LabelProject, Mark
from studio_core.keeping import marks, search
from studio_core.keeping.projects import PROJECTS
from studio_core.keeping.search import Query
from studio_core.labeling import progress, projects

SHOWN = 100
"""Projects of a page of the list."""
COLUMNS = Columns("labeling.col_", "name", ("mode", "progress", "votes", "made"))


def page_head(language: str) -> Markup:
    return html(
        '<header class="ts-head"><h1>{}</h1><p>{}</p></header>',
        say("labeling.title", language),
        say("labeling.lead", language),
    )


def projects_list(
    studio: Studio, language: str, query: Query, asked: Sequence[str] = (), *, staff: bool = True
) -> Markup:
    """One page of projects with how far they are; annotators see those that are not archived, without marks."""
    query = query if staff else replace(query, archived=False)
    try:
        found = search.find(studio, PROJECTS, query)
    except BadInput as error:  # An order that there is not.
        return notice("warn", error.sentence(language))
    if not found.rows:
        nothing = "labeling.none" if staff else "labeling.none_for_you"
        return empty(say(nothing if query == Query(limit=SHOWN) else "keeping.none_such", language))
    lines = [
        _line(studio, project, found.marks.get(project.id), language, staff=staff) for project in found.rows
    ]
    ways = bar.pager(query, found.total, "/label", language, columns.kept(asked))
    return html("{}{}", COLUMNS.table(lines, asked, language), ways)


def _line(
    studio: Studio, project: LabelProject, mark: Mark | None, language: str, *, staff: bool
) -> dict[str, Any]:
    """The cells of a project, by the names of their columns."""
    how = progress.of(studio, project)
    link = html(
        '<a href="/label?project={}">{}</a>{}', project.id, project.name, _of_round(project, language)
    )
    return {
        "name": marks_view.named(PROJECTS, project, mark, link, "/label", language) if staff else link,
        "mode": say(f"labeling.mode_{project.mode}", language),
        "progress": say("labeling.done_of", language, done=number(how["done"]), items=number(how["items"])),
        "votes": number(projects.settings_of(project).votes),
        "made": ago(project.created_at, language),
        **({"note": marks_view.note(mark)} if staff else {}),
    }


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


def kept(studio: Studio, project: LabelProject, language: str) -> Markup:
    """Star, tags, note, and what changes them; annotators never see it."""
    mark = marks.of(studio, PROJECTS, [project.id]).get(project.id)
    return marks_view.card(PROJECTS, project, mark, project.name, "/label", language)
