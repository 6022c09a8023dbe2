"""The suites with their questions, and the form that brings those of a published one or tests of one's own."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, phrases, say, t
from app.parts.adding import files, read
from app.parts.choices import NONE, Choices
from app.parts.events import ASKED, on_open
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import NOTHING, html, muted, notice, number, panel, table
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.curation import suite_fetching
from studio_core.evaluation import browsing
from studio_core.runs.engine_process import ensure_engine
from studio_core.suites import SUITES, Suite, adding, suites_in
from studio_core.suites.reading.openai_evals import CLASSES

_KINDS = "evaluation.suites_kinds"
_SHOWN = ("table", "told", "file", "brought")
"""What is drawn again once questions were added."""


def build(studio: Studio) -> None:
    parts: dict[str, Any] = {}
    with gr.Accordion(t("evaluation.suites_title"), open=False, elem_id="evaluate-bringing"):
        muted("evaluation.suites_lead")
        parts["table"] = panel("bringing-suites")
        with gr.Row():
            parts["suite"] = gr.Dropdown([], **_labels("suite"))
            parts["name"] = gr.Textbox("", max_lines=1, **_labels("name"))
            parts["class"] = gr.Dropdown(
                [NONE, *((name, name) for name in CLASSES)], value="", **_labels("class")
            )
        parts["brought"] = gr.State(None)
        parts["file"] = files.build(studio, parts["brought"], elem_id="bringing-file")
        with gr.Row():
            for name in ("add", "fetch", "add_fetched"):
                look = "primary" if name == "add" else "secondary"
                parts[name] = gr.Button(
                    t(f"evaluation.suites_{name}"), variant=look, elem_id=f"bringing-{name}"
                )
        parts["told"] = panel("bringing-told")
    section = SuitesPanel(studio, parts)
    on_open(section.opened, [parts[name] for name in ("table", "suite", "file")])
    shown = [parts[name] for name in _SHOWN]
    asked = [parts[name] for name in ("brought", "suite", "name", "class")]
    once: dict[str, Any] = {"trigger_mode": "once", **ASKED}
    parts["add"].click(safely(section.added), asked, shown, **once)
    parts["fetch"].click(safely(section.fetched), [parts["suite"]], [parts["told"]], **once)
    parts["add_fetched"].click(safely(section.added_fetched), [parts["suite"]], shown, **once)


def _labels(name: str) -> dict[str, Any]:
    return {
        "label": t(f"evaluation.suites_{name}"),
        "info": t(f"evaluation.suites_{name}_help"),
        "elem_id": f"bringing-{name}",
    }


class SuitesPanel(Handlers):
    def opened(self, request: gr.Request) -> Updates:
        language = language_of(request)
        return self._updates(
            table=suites_table(self.studio, language),
            suite=gr.Dropdown(choices=_published(language), value=""),
            file=files.drawn(self.studio, language, kinds=_KINDS),
        )

    def added(self, brought: Any, suite: Any, name: Any, scored_by: Any, request: gr.Request) -> Updates:
        """Add the questions of the uploads, which are then removed."""
        if not brought:
            raise BadInput("evaluation.suites_no_files")
        goal = _goal(str(suite or ""), str(name or "").strip())
        language = language_of(request)
        return self._redrawn(
            adding.add_uploaded(self.studio, goal, read(brought).uploads, str(scored_by or "")),
            language,
            # The place for files is empty again, as the uploads are gone.
            file=files.drawn(self.studio, language, kinds=_KINDS, anew=True),
            brought=None,
        )

    def fetched(self, suite: Any, request: gr.Request) -> Updates:
        """Queue the download; its job is linked."""
        job = suite_fetching.fetch(self.studio, _chosen(suite))
        ensure_engine(self.studio)
        language = language_of(request)
        told = say("evaluation.suites_fetching", language, job=job.id, suite=browsing.title(suite, language))
        return self._updates(
            told=notice("info", html('{} <a href="/runs?run={}">{}</a>', told, job.id, job.name))
        )

    def added_fetched(self, suite: Any, request: gr.Request) -> Updates:
        """Add what the newest download of the suite has brought."""
        return self._redrawn(suite_fetching.add_newest(self.studio, _chosen(suite)), language_of(request))

    def _redrawn(self, suite: Suite, language: str, **more: Any) -> Updates:
        count = adding.questions_here(self.studio, suite) or 0
        told = say(
            "evaluation.suites_added", language, suite=browsing.title(suite.name, language), n=number(count)
        )
        drawn = suites_table(self.studio, language)
        return self._updates(table=drawn, told=notice("good", told), **more)


def suites_table(studio: Studio, language: str) -> Markup:
    """All suites, with how many of their questions are here."""
    phrase = phrases("evaluation.", language)
    heads = [phrase(f"suites_{name}") for name in ("suite", "questions", "scored_by", "licence", "source")]
    suites = suites_in(studio.settings.suites).values()
    return table(heads, [_row(studio, suite, language) for suite in suites])


def _row(studio: Studio, suite: Suite, language: str) -> list[Any]:
    count, source = adding.questions_here(studio, suite), suite.source
    return [
        browsing.title(suite.name, language),
        _questions(studio, suite, count, language),
        say(f"evaluation.suites_by_{suite.scored_by}", language),
        (source and source.licence) or NOTHING,
        (source and (source.hub or source.about)) or NOTHING,
    ]


def _questions(studio: Studio, suite: Suite, count: int | None, language: str) -> str | Markup:
    """How many there are; else what is missing, in full where a program must be installed."""
    if count is not None:
        return _counted(studio, suite, count, language)
    if suite.benchmark is None:
        return html('<span class="ts-muted">{}</span>', say("evaluation.suites_missing", language))
    lacking = adding.lacking(studio, suite)
    if lacking is None:
        return Markup(NOTHING)
    given = {"suite": lacking.program, "install": lacking.install, "setting": lacking.setting}
    return html(
        '<details><summary class="ts-muted">{}</summary>{}</details>',
        say("evaluation.suites_program_lacking", language),
        say("suites.program_lacking", language, **given),
    )


def _counted(studio: Studio, suite: Suite, count: int, language: str) -> Markup | str:
    """Questions, and how many of them have a published answer where the suite has a use for it."""
    known = adding.references_here(studio, suite)
    if known is None:
        return number(count)
    words = say("evaluation.suites_references", language, n=number(known))
    return html('{} <small class="ts-muted">{}</small>', number(count), words)


def _published(language: str) -> Choices:
    own = (say("evaluation.suites_own", language), "")
    published = [name for name, suite in SUITES.items() if suite.source is not None and not suite.of_program]
    return [own, *((browsing.title(name, language), name) for name in published)]


def _goal(suite: str, name: str) -> str:
    if suite and name:
        raise BadInput("evaluation.suites_two_names", suite=suite, name=name[:80])
    if not (suite or name):
        raise BadInput("evaluation.suites_no_name")
    return suite or name


def _chosen(suite: Any) -> str:
    if not suite:
        raise BadInput("evaluation.suites_not_published")
    return str(suite)
