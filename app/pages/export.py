"""Export: a model as files for another program. One export has its page among the runs."""

from __future__ import annotations

import secrets
from typing import Any

import gradio as gr
from fastapi import APIRouter
from markupsafe import Markup

from app.i18n import language_of, phrases, say, t
from app.parts import choices, export_files, export_view, push_form
from app.parts.events import ASKED, GO, LIGHT, on_open
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import NOTHING, badge, heading, html, notice, panel, table
from app.parts.options_form import component_of, element_id, gathered
from studio_core import exports
from studio_core.base.errors import StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.base.validation import validate
from studio_core.exports import FORMATS, Format, results, submitting
from studio_core.models import registry
from studio_core.options import OptionField
from studio_core.runs import queue
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.spec import ExportSpec

NAME = "export"
PATH = "/export"
WITHIN = "models"

LISTED = 10
"""Exports that the page lists; the Runs page has them all."""
FIRST = next(iter(FORMATS))
COMPARED = ("suite", "prompts", "max_tokens")
"""What says how the result is compared, as ``ExportSpec`` has it."""


def routes(studio: Studio) -> APIRouter:
    return export_files.routes(studio)


def build(studio: Studio) -> None:
    heading("model_exports.title", "model_exports.lead", level=1)
    push_form.build(studio)
    parts: dict[str, Any] = {}
    with gr.Row():
        parts["model"] = gr.Dropdown(label=t("model_exports.model"), elem_id="export-model")
        parts["format"] = gr.Dropdown(
            [(t(format.title_key), name) for name, format in FORMATS.items()],
            value=FIRST,
            label=t("model_exports.format"),
            elem_id="export-as",
        )
    parts["told"] = panel("export-told")
    options: dict[str, list[Any]] = {}
    offered = _offered()
    for name, format in FORMATS.items():
        with gr.Column(visible=name == FIRST, elem_id=f"export-options-{name}") as parts[f"of_{name}"]:
            options[name] = _fields(format)
        ids = (f"{name}.{field.name}" for field in format.fields)
        parts |= {key: part for key, part in zip(ids, options[name], strict=True) if key in offered}
    _comparison(studio, parts)
    parts["start"] = gr.Button(t("model_exports.start"), variant="primary", elem_id="export-start", scale=0)
    parts["recent"] = panel("export-recent")
    parts |= {"address": gr.Textbox(visible=False), "key": gr.State("")}
    page = ExportPage(studio, parts)
    of_choice = [parts[name] for name in ("told", "start", *(f"of_{name}" for name in FORMATS))]
    opened = [parts[name] for name in ("model", "recent", "key", *offered)]
    on_open(page.opened, [*opened, *of_choice])
    for chosen in ("model", "format"):
        parts[chosen].input(page.chosen, [parts["model"], parts["format"]], of_choice, **LIGHT)
    given = [parts[name] for name in ("model", "format", *COMPARED, "key")]
    parts["start"].click(
        page.export_started,
        [*given, *(component for each in options.values() for component in each)],
        parts["address"],
        trigger_mode="once",
        **ASKED,
    ).then(None, js=GO, inputs=[parts["address"]])


def _offered() -> dict[str, OptionField]:
    """The options whose choices are known only then and there, as ``<format>.<option>``."""
    return {
        f"{name}.{field.name}": field
        for name, format in FORMATS.items()
        for field in format.fields
        if field.choices_of
    }


def _fields(format: Format) -> list[Any]:
    """The components of its options, in their order: what is long stands below the rest."""
    made: dict[str, Any] = {}
    short = [field for field in format.fields if field.kind != "prompt"]
    with gr.Row():
        for field in short:
            made[field.name] = component_of(field, element_id(f"export-{format.name}", field))
    for field in format.fields:
        if field not in short:
            made[field.name] = component_of(field, element_id(f"export-{format.name}", field))
    return [made[field.name] for field in format.fields]


def _comparison(studio: Studio, parts: dict[str, Any]) -> None:
    """Which questions original and result answer."""
    with gr.Accordion(t("model_exports.comparison"), open=False, elem_id="export-comparison"):
        with gr.Row():
            parts["suite"] = gr.Dropdown(
                submitting.suites_that_ask(studio),
                value=ExportSpec.model_fields["suite"].default,
                label=t("model_exports.suite"),
                info=t("model_exports.suite.help"),
                elem_id="export-suite",
            )
            for name in ("prompts", "max_tokens"):
                parts[name] = gr.Number(
                    ExportSpec.model_fields[name].default,
                    precision=0,
                    label=t(f"model_exports.{name}"),
                    info=t(f"model_exports.{name}.help"),
                    elem_id=f"export-{name}",
                )


class ExportPage(Handlers):
    @safely
    def opened(self, request: gr.Request) -> Updates:
        """``/export?model=NAME``. A page that is opened again asks for an export of its own: it has a new key."""
        language, asked = language_of(request), str(request.query_params.get("model", ""))
        offered = registry.writers(self.studio, also=[asked])
        names = [model.name for model in offered]
        # Of a model that is not there, or that only scores, it is told why it cannot be exported.
        model = asked or next(iter(names), None)
        return {
            **self._updates(
                model=gr.update(
                    choices=choices.named_models(self.studio, offered, language),
                    value=model if model in names else None,
                ),
                recent=recent(self.studio, language),
                key=secrets.token_hex(8),
            ),
            **self._choices(language),
            **self._of(model, FIRST, request),
        }

    def _choices(self, language: str) -> Updates:
        offered = _offered()
        offers = choices.everywhere(self.studio, list(offered.values()), language)
        updates = {name: gr.update(choices=offers[field.choices_of]) for name, field in offered.items()}
        return self._updates(**updates)

    @safely
    def chosen(self, model: str, format: str, request: gr.Request) -> Updates:
        return self._of(model, format, request)

    def _of(self, model: Any, format: Any, request: gr.Request) -> Updates:
        """What the format is for, whether it takes this model, and its options alone."""
        language, named = language_of(request), exports.named(str(format))
        phrase = phrases("", language)
        problem = self._problem(model, named.name)
        lacks = notice("warn", problem.sentence(language)) if problem else ""
        told = html('<div class="ts-stack"><p class="ts-muted">{}</p>{}</div>', phrase(named.help_key), lacks)
        columns = {f"of_{name}": gr.update(visible=name == named.name) for name in FORMATS}
        return self._updates(told=told, start=gr.update(interactive=problem is None), **columns)

    def _problem(self, model: Any, format: str) -> StudioError | None:
        try:
            return submitting.why_not(self.studio, registry.find(self.studio, str(model or "")), format)
        except StudioError as error:
            return error

    @safely
    def export_started(
        self, request: gr.Request, model: str, format: str, suite: str, prompts: Any, max_tokens: Any, key: str,
        *values: Any,
    ) -> str:  # fmt: skip
        """One click, one job; the page then goes to it."""
        row = registry.find(self.studio, str(model or ""))
        named = exports.named(str(format))
        compared = {"suite": suite, "prompts": prompts, "max_tokens": max_tokens}
        document = {name: value for name, value in compared.items() if value not in (None, "")}
        wish = {"model": row.name, "format": named.name, "options": _options(named.name, values), **document}
        spec = validate(ExportSpec, wish, "model_exports.invalid")
        job = submitting.submit(self.studio, spec, key=key or request.session_hash)
        ensure_engine(self.studio)
        return f"/runs?run={job.id}"


def _options(format: str, values: tuple[Any, ...]) -> dict[str, Any]:
    """Those of the format that was chosen, out of what all formats' components hold, in the order of the page."""
    given = iter(values)
    by_format = {
        name: {field.name: next(given, None) for field in each.fields} for name, each in FORMATS.items()
    }
    return gathered(FORMATS[format].fields, by_format[format])


def recent(studio: Studio, language: str) -> Markup:
    """The newest exports, each with its comparison."""
    jobs = queue.all_jobs(studio, kind="export", limit=LISTED)
    if not jobs:
        return Markup()
    phrase = phrases("model_exports.", language)
    heads = [phrase("export"), phrase("format"), phrase("parity"), phrase("state"), phrase("push_to")]
    rows = [_row(job, language) for job in jobs]
    return html('<header class="ts-head"><h2>{}</h2></header>{}', phrase("recent"), table(heads, rows))


def _row(job: Job, language: str) -> list[Any]:
    manifest = results.of_job(job)
    parity = manifest.parity if manifest else None
    return [
        html('<a href="/runs?run={0}">{0} · {1}</a>', job.id, job.name),
        export_view.title_of(job, language),
        f"{parity.same_text} / {parity.prompts}" if parity else NOTHING,
        badge(job.state, language, job.cause),
        html('<a href="/export?push={}">{}</a>', job.id, say("model_exports.push", language))
        if manifest
        else NOTHING,
    ]
