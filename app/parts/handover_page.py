"""The Runs page of a hand-over: ``/runs?handover=12``. A trainer is chosen, its folder fetched; results come back."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import APIRouter
from fastapi.responses import FileResponse, PlainTextResponse, Response
from markupsafe import Markup
from starlette.background import BackgroundTask
from starlette.requests import Request

from app.i18n import language_of, say, t
from app.parts import markdown
from app.parts.events import ASKED, GO, on_open
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import heading, html, notice, panel
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.studio import Studio
from studio_core.handover import TRAINERS, named, packing, taking
from studio_core.runs import queue
from studio_core.runs.engine_process import ensure_engine

_SHOWN_ROWS = 100_000
"""Records up to which the README is shown before the folder is fetched: it counts them, which takes about a second."""


def address(run: int, trainer: str) -> str:
    return f"/api/handovers/{run}/{trainer}"


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()

    @router.get("/api/handovers/{run}/{trainer}")
    def download(run: int, trainer: str, request: Request) -> Response:
        descriptor, name = tempfile.mkstemp(suffix=".zip", dir=studio.settings.uploads)
        os.close(descriptor)
        path = Path(name)
        try:
            packing.pack(studio, run, trainer, path)
        except BaseException as error:
            path.unlink(missing_ok=True)
            if not isinstance(error, StudioError):
                raise
            return PlainTextResponse(error.sentence(language_of(request)), status_code=404)
        return FileResponse(
            path,
            filename=f"{packing.folder_name(run, named(trainer).name)}.zip",
            media_type="application/zip",
            background=BackgroundTask(path.unlink, missing_ok=True),
        )

    return router


def build(studio: Studio) -> None:
    with gr.Column(visible=False, elem_id="handover") as place:
        parts: dict[str, Any] = {"head": panel("handover-head")}
        parts["trainer"] = gr.Radio(
            [(trainer.title, name) for name, trainer in TRAINERS.items()],
            label=t("handover.trainer"),
            elem_id="handover-trainer",
        )
        parts["readme"] = panel("handover-readme")
        heading("handover.take")
        parts["told"] = panel("handover-told")
        with gr.Row():
            parts["folder"] = gr.Textbox(
                label=t("handover.folder"),
                info=t("handover.folder_help"),
                elem_id="handover-folder",
                placeholder="~/run-1-axolotl",
                lines=1,
                scale=2,
            )
            parts["name"] = gr.Textbox(
                label=t("handover.name"), info=t("handover.name_help"), elem_id="handover-name", lines=1
            )
        parts["take"] = gr.Button(t("handover.take_start"), elem_id="handover-take")
    parts |= {"place": place, "key": gr.State("")}
    page, to = HandoverPage(studio, parts), gr.Textbox(visible=False)
    on_open(page.opened, list(parts.values()))
    parts["trainer"].input(page.chosen, inputs=[parts["trainer"]], outputs=[parts["readme"]], **ASKED)
    given = [parts[name] for name in ("trainer", "folder", "name", "key")]
    parts["take"].click(page.taken, inputs=given, outputs=[to], trigger_mode="once", **ASKED).then(
        None, js=GO, inputs=[to]
    )


class HandoverPage(Handlers):
    """What it does on load and on its buttons. Which run it is, its address says."""

    @safely
    def opened(self, request: gr.Request) -> Any:
        if not request.query_params.get("handover"):
            return gr.skip()
        language = language_of(request)
        place = self._updates(place=gr.update(visible=True), key=secrets.token_hex(8))
        try:
            job = queue.get(self.studio, self._run(request))
        except StudioError as error:
            return {**place, **self._updates(head=notice("warn", error.sentence(language)))}
        head = html(
            '<div class="ts-row"><a class="ts-muted" href="/runs?run={0}">← {0} · {1}</a></div>'
            '<header class="ts-head"><h1>{2}</h1><p>{3}</p></header>',
            job.id,
            job.name,
            say("handover.title", language),
            say("handover.title_text", language),
        )
        told = html('<p class="ts-muted">{}</p>', say("handover.take_text", language))
        return {**place, **self._updates(head=head, told=told)}

    @safely
    def chosen(self, request: gr.Request, trainer: str | None) -> Updates:
        """The README of the folder, and the way to fetch it; or what the trainer cannot do of the run."""
        language, run = language_of(request), self._run(request)
        try:
            drawn = self._readme(run, str(trainer), language)
        except StudioError as error:
            drawn = notice("warn", error.sentence(language))
        return self._updates(readme=drawn)

    def _readme(self, run: int, trainer: str, language: str) -> Markup:
        by, job = named(trainer), queue.get(self.studio, run)
        button = html(
            '<div class="ts-fetch"><a class="ts-button ts-button-primary" id="handover-fetch" href="{}" download>{}</a>'
            "</div>",
            address(run, by.name),
            say("handover.fetch", language, trainer=by.title),
        )
        rows = int((job.spec.get("run") or {}).get("dataset", {}).get("rows", 0))
        if rows > _SHOWN_ROWS:
            told = say("handover.readme_inside", language, rows=rows)
            return html('{}<p class="ts-muted">{}</p>', button, told)
        text = packing.read_me(self.studio, run, by.name, language)
        return html('{}<div class="ts-card ts-markdown">{}</div>', button, markdown.rendered(text))

    @safely
    def taken(self, request: gr.Request, trainer: str | None, folder: str, name: str, key: str) -> str:
        """Queue the import of what the trainer made; the page then goes to the new run."""
        job = taking.take_back(
            self.studio,
            folder,
            self._run(request),
            str(trainer or ""),
            name,
            f"handback-{key}" if key else None,
        )
        ensure_engine(self.studio)
        return f"/runs?run={job.id}"

    def _run(self, request: gr.Request) -> int:
        asked = str(request.query_params.get("handover", ""))
        if not (asked.isascii() and asked.isdigit() and len(asked) < 16):
            raise BadInput("comparison.bad_address", value=asked[:80])
        return int(asked)
