"""The labelling screen as HTML without an item: ``static/js/label.js`` fills it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from app.i18n import say
from app.parts.html import html, join, notice
from studio_core import texts
from studio_core.labeling import projects
from studio_core.tables import LabelProject

VERDICTS = (("left", "1"), ("right", "2"), ("tie", "3"), ("both_bad", "4"), ("skip", "S"))


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
