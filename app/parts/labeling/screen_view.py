"""The labelling screen as HTML without an item: ``static/js/label.js`` fills it."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from app.i18n import Phrase, phrases, say
from app.parts.html import html, join
from app.parts.side_by_side import copy_button
from studio_core import texts
from studio_core.base.tables import LabelProject
from studio_core.labeling import projects

LETTERS = "ABCDEFGH"
VERDICTS = (("left", "1"), ("right", "2"), ("tie", "3"), ("both_bad", "4"), ("skip", "S"))


def onward(root: LabelProject, language: str) -> Markup:
    """Where to go when all is judged: what came of it, and what is next."""
    address = f"/label?project={root.id}&section=rounds"
    return html('<a class="ts-button" href="{}">{}</a>', address, say("labeling.onward", language))


def screen(project: LabelProject, words: str, guide: Markup, onward: Markup, language: str) -> Markup:
    """The screen without an item; ``guide`` stands beside it, ``onward`` where nothing is left."""
    phrase = phrases("labeling.", language)
    settings = projects.settings_of(project)
    return html(
        '<section id="label-screen-body" class="ts-label-screen" data-project="{}" data-mode="{}" data-scale="{}"'
        ' data-correct="{}" data-words="{}" data-view="rendered"><div class="ts-label-work">'
        '<div class="ts-label-progress"><span data-part="progress" aria-live="polite"></span>'
        '<div class="ts-bar" aria-hidden="true"><span data-part="bar"></span></div></div>'
        '<div data-part="task" hidden><div class="ts-label-prompt"><div class="ts-label-which">'
        '<span class="ts-muted" data-part="number"></span><span data-part="state"></span></div>'
        '<div data-part="prompt"></div></div><div class="ts-label-sides">{}</div>'
        '<div class="ts-label-verdicts" role="group" aria-label="{}">{}</div>{}</div>'
        '<div data-part="finished" hidden class="ts-empty"><p>{}</p>{}</div>'
        '<div data-part="coming" hidden class="ts-empty" role="status"><p>{}</p></div>'
        '<p class="ts-label-said" data-part="said" role="status" aria-live="polite"></p>{}</div>{}</section>',
        project.id,
        project.mode,
        settings.marks,
        "1" if settings.correct else "",
        words,
        sides(project, language, "label"),
        phrase("verdict"),
        verdicts(project, phrase),
        _details(settings, phrase),
        phrase("finished"),
        onward,
        phrase("making_first_here"),
        _tools(project.mode, phrase),
        guide,
    )


def sides(project: LabelProject, language: str, prefix: str) -> Markup:
    """Places for as many answers as the project's items may have; ``prefix`` is that of their ids."""
    letters = {"pairs": LETTERS[:2], "rate": LETTERS[:1], "rank": LETTERS}[project.mode]
    return join(_answer(letter, project.mode, language, prefix) for letter in letters)


def _answer(letter: str, mode: str, language: str, prefix: str) -> Markup:
    """A place for an answer; several of them can be put in order."""
    number, rank = LETTERS.index(letter), Markup()
    if mode == "rank":
        rank = html(
            '<button type="button" class="ts-chip" data-rank="{0}" aria-keyshortcuts="{1}" aria-pressed="false">'
            "<span></span> <kbd>{1}</kbd></button>",
            number,
            number + 1,
        )
    return html(
        '<article class="ts-label-answer" aria-labelledby="{3}-side-{0}"><header><h2 id="{3}-side-{0}">{0}</h2>'
        '<span class="ts-label-source ts-muted"></span>{2}{4}</header>'
        '<div class="ts-label-text ts-markdown" tabindex="0" dir="auto"></div>'
        '<textarea hidden rows="6" dir="auto" aria-label="{1}"></textarea></article>',
        letter,
        say("labeling.better_version", language),
        rank,
        prefix,
        copy_button(language, f"{say('chat.copy', language)}: {letter}"),
    )


def verdicts(project: LabelProject, phrase: Phrase, *, skip: bool = True) -> Markup:
    """The buttons by which an item is judged."""
    settings = projects.settings_of(project)
    if project.mode == "pairs":
        return _named(phrase, VERDICTS if skip else VERDICTS[:-1])
    rated = _correction(phrase) if settings.correct and skip else _ratings(settings.marks, phrase)
    judged = _ranking(phrase) if project.mode == "rank" else rated
    return html("{}{}", judged, _named(phrase, VERDICTS[-1:]) if skip else "")


def _ranking(phrase: Phrase) -> Markup:
    return html(
        '<button type="button" class="ts-button ts-button-primary" data-part="rank-submit" data-key="Enter" disabled>'
        '{} <kbd>Enter</kbd></button><button type="button" class="ts-button" data-key="Backspace">{} <kbd>⌫</kbd>'
        "</button>",
        phrase("screen_rank_submit"),
        phrase("screen_rank_back"),
    )


def _correction(phrase: Phrase) -> Markup:
    return html(
        '<button type="button" class="ts-button ts-button-primary" data-part="save" '
        'aria-keyshortcuts="Control+Enter">{} <kbd>Ctrl Enter</kbd></button>',
        phrase("screen_save"),
    )


def _ratings(scale: int, phrase: Phrase) -> Markup:
    """One button for each mark; with two marks they are bad and good."""
    marks = {1: phrase("rating_bad"), 2: phrase("rating_good")} if scale == 2 else {}
    return join(
        html(
            '<button type="button" class="ts-button" data-rating="{}" aria-keyshortcuts="{}" aria-pressed="false">'
            "{}</button>",
            mark,
            mark % 10,
            html("{} <kbd>{}</kbd>", marks[mark], mark) if marks else mark,
        )
        for mark in range(1, scale + 1)
    )


def _named(phrase: Phrase, offered: Sequence[tuple[str, str]]) -> Markup:
    return join(
        html(
            '<button type="button" class="ts-button" data-verdict="{0}" aria-keyshortcuts="{1}" aria-pressed="false">'
            "{2} <kbd>{1}</kbd></button>",
            name,
            key,
            phrase(f"screen_{name}"),
        )
        for name, key in offered
    )


def _details(settings: projects.ProjectSettings, phrase: Phrase) -> Markup:
    """Chips of reasons and strength, and the comment."""
    catalogue = texts.catalogue(texts.DEFAULT_LANGUAGE)
    reasons = join(
        html(
            '<button type="button" class="ts-chip" data-reason="{}" aria-pressed="false">{} <kbd>⇧{}</kbd></button>',
            reason,
            phrase(f"reason_{reason}") if f"labeling.reason_{reason}" in catalogue else reason,
            place,
        )
        for place, reason in enumerate(settings.reasons, start=1)
    )
    strengths = join(
        html(
            '<button type="button" class="ts-chip" data-strength="{}" aria-pressed="false">{} <kbd>{}</kbd></button>',
            name,
            phrase(f"strength_{name}"),
            key,
        )
        for name, key in (("slightly", "Q"), ("clearly", "W"))
        if settings.strength
    )
    return html(
        '<div class="ts-label-details"><div role="group" aria-label="{0}">{1}{2}</div>'
        '<input type="text" data-part="comment" maxlength="2000" placeholder="{3}" aria-label="{3}"></div>',
        phrase("reasons"),
        strengths,
        reasons,
        phrase("comment"),
    )


def _tools(mode: str, phrase: Phrase) -> Markup:
    views = [("difference", "D")] if mode == "pairs" else []
    looks = join(
        html(
            '<button type="button" class="ts-button" data-view="{}" aria-pressed="false">{} <kbd>{}</kbd></button>',
            name,
            phrase(f"view_{name}"),
            key,
        )
        for name, key in (*views, ("raw", "M"))
    )
    others = join(
        html(
            '<button type="button" class="ts-button" data-key="{}"{}>{} <kbd>{}</kbd></button>',
            key,
            Markup(' data-part="leave" hidden') if name == "leave" else "",
            phrase(f"do_{name}"),
            key.upper(),
        )
        for name, key in (("edit", "e"), ("clear", "x"), ("undo", "u"), ("leave", "l"))
    )
    withdraw = html(
        '<button type="button" class="ts-button" data-part="withdraw" hidden>{}</button>',
        phrase("do_withdraw"),
    )
    return html(
        '<div class="ts-label-tools">{}{}{}'
        '<details data-part="help"><summary>{} <kbd>?</kbd></summary><p>{}</p><p>{}</p></details></div>',
        looks,
        others,
        withdraw,
        phrase("help"),
        phrase(f"help_{mode}"),
        phrase("help_keys"),
    )
