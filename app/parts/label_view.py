"""How labelling looks: the list of projects, the screen, and what the votes are worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from app.i18n import say
from app.parts.html import NOTHING, ago, empty, html, join, notice, number, stat, table
from app.parts.markdown import rendered
from studio_core import texts
from studio_core.labeling import progress, projects
from studio_core.labeling import statistics as statistics_of
from studio_core.labeling.agreement import SHARED, Habits, Share
from studio_core.studio import Studio
from studio_core.tables import Dataset, LabelProject

VERDICTS = (("left", "1"), ("right", "2"), ("tie", "3"), ("both_bad", "4"), ("skip", "S"))


def page_head(language: str) -> Markup:
    return html(
        '<header class="ts-head"><h1>{}</h1><p>{}</p></header>',
        say("labeling.title", language),
        say("labeling.lead", language),
    )


def projects_list(studio: Studio, language: str, *, may_create: bool) -> Markup:
    """All projects with how far they are."""
    known = projects.all_projects(studio)
    if not known:
        return empty(say("labeling.none" if may_create else "labeling.none_for_you", language))
    heads = [say(f"labeling.col_{name}", language) for name in ("name", "mode", "progress", "votes", "made")]
    rows = []
    for one in known:
        how = progress.of(studio, one)
        rows.append(
            [
                html('<a href="/label?project={}">{}</a>', one.id, one.name),
                say(f"labeling.mode_{one.mode}", language),
                say("labeling.done_of", language, done=number(how["done"]), items=number(how["items"])),
                number(projects.settings_of(one).votes),
                ago(one.created_at, language),
            ]
        )
    return table(heads, rows)


def head(project: LabelProject, guidelines: str, language: str) -> Markup:
    guide = Markup()
    if guidelines.strip():
        guide = html(
            '<details class="ts-card ts-label-guide" open><summary>{}</summary>{}</details>',
            say("labeling.guidelines", language),
            rendered(guidelines),
        )
    return html(
        '<header class="ts-head"><p><a href="/label">← {}</a></p><h1>{}</h1></header>{}',
        say("labeling.all", language),
        project.name,
        guide,
    )


def screen(project: LabelProject, words: str, language: str) -> Markup:
    """The screen without an item; the script fills it. Rankings are made on the command line."""
    if project.mode == "rank":
        return notice("info", say("labeling.mode_on_command_line", language, name=project.name))

    def said(key: str) -> str:
        return say(f"labeling.{key}", language)

    settings = projects.settings_of(project)
    answers = join(
        html(
            '<article class="ts-label-answer" aria-labelledby="label-side-{0}"><header><h2 id="label-side-{0}">{0}</h2>'
            '<span class="ts-label-source ts-muted"></span></header>'
            '<div class="ts-label-text" tabindex="0" dir="auto"></div>'
            '<textarea hidden rows="6" dir="auto" aria-label="{1}"></textarea></article>',
            letter,
            said("better_version"),
        )
        for letter in ("AB" if project.mode == "pairs" else "A")
    )
    verdicts = _verdicts(said) if project.mode == "pairs" else _ratings(settings.scale, said)
    return html(
        '<section id="label-screen-body" data-project="{}" data-mode="{}" data-scale="{}" data-words="{}"'
        ' data-view="rendered">'
        '<div class="ts-label-progress"><span data-part="progress" aria-live="polite"></span>'
        '<div class="ts-bar" aria-hidden="true"><span data-part="bar"></span></div></div>'
        '<div data-part="task" hidden><div class="ts-label-prompt"><span class="ts-muted" data-part="number"></span>'
        '<div data-part="prompt"></div></div><div class="ts-label-sides">{}</div>'
        '<div class="ts-label-verdicts" role="group" aria-label="{}">{}</div>{}</div>'
        '<div data-part="finished" hidden class="ts-empty"><p>{}</p></div>'
        '<p class="ts-label-said" data-part="said" role="status" aria-live="polite"></p>{}</section>',
        project.id,
        project.mode,
        settings.scale,
        words,
        answers,
        said("verdict"),
        verdicts,
        _details(settings, said, language),
        said("finished"),
        _tools(said),
    )


def _ratings(scale: int, said: Any) -> Markup:
    """One button for each mark; with two marks they are bad and good."""
    marks = {1: said("rating_bad"), 2: said("rating_good")} if scale == 2 else {}
    buttons = join(
        html(
            '<button type="button" class="ts-button" data-rating="{}" aria-keyshortcuts="{}" aria-pressed="false">'
            "{}</button>",
            mark,
            mark % 10,
            marks.get(mark, mark),
        )
        for mark in range(1, scale + 1)
    )
    return html("{}{}", buttons, _verdicts(said, VERDICTS[-1:]))


def _verdicts(said: Any, offered: Sequence[tuple[str, str]] = VERDICTS) -> Markup:
    return join(
        html(
            '<button type="button" class="ts-button" data-verdict="{0}" aria-keyshortcuts="{1}" aria-pressed="false">'
            "{2} <kbd>{1}</kbd></button>",
            name,
            key,
            said(f"screen_{name}"),
        )
        for name, key in offered
    )


def _details(settings: projects.ProjectSettings, said: Any, language: str) -> Markup:
    """Chips of reasons and strength, and the comment."""
    catalogue = texts.catalogue(texts.DEFAULT_LANGUAGE)
    reasons = join(
        html(
            '<button type="button" class="ts-chip" data-reason="{}" aria-pressed="false">{}</button>',
            reason,
            said(f"reason_{reason}") if f"labeling.reason_{reason}" in catalogue else reason,
        )
        for reason in settings.reasons
    )
    strengths = join(
        html(
            '<button type="button" class="ts-chip" data-strength="{}" aria-pressed="false">{}</button>',
            name,
            said(f"strength_{name}"),
        )
        for name in ("slightly", "clearly")
        if settings.strength
    )
    return html(
        '<div class="ts-label-details"><div role="group" aria-label="{0}">{1}{2}</div>'
        '<input type="text" data-part="comment" maxlength="2000" placeholder="{3}" aria-label="{3}"></div>',
        said("reasons"),
        strengths,
        reasons,
        said("comment"),
    )


def _tools(said: Any) -> Markup:
    views = join(
        html(
            '<button type="button" class="ts-button" data-view="{}" aria-pressed="false">{} <kbd>{}</kbd></button>',
            name,
            said(f"view_{name}"),
            key,
        )
        for name, key in (("difference", "D"), ("raw", "M"))
    )
    others = join(
        html(
            '<button type="button" class="ts-button" data-key="{}">{} <kbd>{}</kbd></button>',
            key,
            said(f"do_{name}"),
            key.upper(),
        )
        for name, key in (("edit", "e"), ("undo", "u"))
    )
    return html(
        '<div class="ts-label-tools">{}{}'
        '<details data-part="help"><summary>{} <kbd>?</kbd></summary><p>{}</p></details></div>',
        views,
        others,
        said("help"),
        said("help_keys"),
    )


def statistics(studio: Studio, project: LabelProject, language: str) -> Markup:
    """Counts, agreement and biases, with their uncertainty."""
    found = statistics_of.of_project(studio, project.id)

    def said(key: str, **values: Any) -> str:
        return say(f"labeling.{key}", language, **values)

    agreement = found.agreement
    if agreement.raw is None:
        agreed = said("agreement_unknown", shared=agreement.items, needed=SHARED)
    else:
        agreed = said("agreement_raw", percent=f"{100 * agreement.raw:.0f}", items=number(agreement.items))
    alpha = NOTHING
    if agreement.alpha is not None:
        alpha = f"{agreement.alpha:.2f} ({agreement.alpha_low:.2f} – {agreement.alpha_high:.2f})"
    figures = join(
        [
            stat(said("stat_done"), said("done_of", done=number(found.done), items=number(found.items))),
            stat(said("stat_conflicts"), number(len(found.conflicts))),
            stat(said("stat_alpha"), alpha, agreed),
        ]
    )
    people = {said("everybody"): found.everybody, **found.annotators}
    heads = [said(f"habit_{name}") for name in ("who", "votes", "left", "longer", "fast", "same", "pace")]
    rows = [[name, *_habits(habits)] for name, habits in people.items() if habits.votes]
    body = table(heads, rows) if rows else html('<p class="ts-muted">{}</p>', said("no_votes"))
    return html(
        '<section class="ts-stack"><h2>{}</h2><div class="ts-card"><div class="ts-figures">{}</div></div>{}</section>',
        said("statistics"),
        figures,
        body,
    )


def _habits(habits: Habits) -> list[str]:
    pace = NOTHING if habits.hourly is None else f"{habits.hourly:.0f} / h"
    return [
        number(habits.votes),
        _share(habits.left_wins),
        _share(habits.longer_wins),
        _share(habits.fast),
        _share(habits.consistent),
        pace,
    ]


def _share(share: Share) -> str:
    """``61 % (48 – 73) of 60``"""
    if share.rate is None:
        return NOTHING
    return f"{100 * share.rate:.0f} % ({100 * share.low:.0f} – {100 * share.high:.0f}), n = {share.of}"


def made(datasets: Sequence[Dataset], language: str) -> Markup:
    """What was made of the votes, and the way to train on it."""
    first = datasets[0]
    named = quote(f"{first.name}@{first.version}", safe="@")
    method = {"preference": "dpo"}.get(first.shape)
    train = Markup()
    if method:
        train = html(
            '<a class="ts-button ts-button-primary" href="/train?dataset={}&amp;method={}">{}</a>',
            named,
            method,
            say("labeling.train", language),
        )
    links = join(
        html('<a href="/dataset?id={}">{}@{} ({})</a>', one.id, one.name, one.version, number(one.rows))
        for one in datasets
    )
    return notice(
        "good", html("{} {}<div class='ts-actions'>{}</div>", say("labeling.made", language), links, train)
    )
