"""What goes to the Hub of an export, where to, and the button that queues the upload: ``/export?push=JOB``."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import gradio as gr

from app.i18n import language_of, phrases, t
from app.parts import push_view
from app.parts.events import ASKED, GO, on_open
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import html, notice, panel, size, table
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.studio import Studio
from studio_core.exports import pushing
from studio_core.runs.engine_process import ensure_engine


def build(studio: Studio) -> None:
    with gr.Column(visible=False, elem_classes="ts-card", elem_id="push") as place:
        head = panel("push-head")
        with gr.Row():
            repo = gr.Textbox(
                label=t("model_exports.push_to"),
                info=t("model_exports.push_repo.help"),
                placeholder="your-name/model-name",
                max_lines=1,
                elem_id="push-repo",
            )
            private = gr.Checkbox(
                True,
                label=t("model_exports.push_private"),
                info=t("model_exports.push_private.help"),
                elem_id="push-private",
            )
        start = gr.Button(t("model_exports.push_start"), variant="primary", elem_id="push-start", scale=0)
        shown = panel("push-shown")
    parts: dict[str, Any] = {
        "place": place,
        "head": head,
        "shown": shown,
        "start": start,
        "key": gr.State(""),
    }
    form, address = PushForm(studio, parts), gr.Textbox(visible=False)
    on_open(form.opened, list(parts.values()))
    start.click(
        safely(form.push_started), [repo, private, parts["key"]], [address], trigger_mode="once", **ASKED
    ).then(None, js=GO, inputs=[address])


class PushForm(Handlers):
    def opened(self, request: gr.Request) -> Any:
        """The files and the card of the export that the address names."""
        language = language_of(request)
        if not request.query_params.get("push"):
            return gr.skip()
        try:
            drawn = self._drawn(_number(request), language)
        except StudioError as error:
            told = notice("warn", error.sentence(language))
            return self._updates(place=gr.update(visible=True), head=told, start=gr.update(interactive=False))
        return {**drawn, **self._updates(place=gr.update(visible=True), key=secrets.token_hex(8))}

    def _drawn(self, export: int, language: str) -> Updates:
        phrase, run = phrases("model_exports.", language), pushing.outline(self.studio, export)
        sizes = {name: Path(path).stat().st_size for name, path in run["files"].items()}
        lead = phrase(
            "push_lead",
            model=run["title"],
            format=run["format"],
            n=len(sizes),
            size=size(sum(sizes.values())),
        )
        head = html("<h2>{}</h2><p class='ts-muted'>{}</p>", phrase("push_title", job=export), lead)
        files = table([phrase("file"), phrase("size")], [[name, size(n)] for name, n in sizes.items()])
        card = push_view.card(run["card"], language)
        shown = html('<div class="ts-stack"><h2>{}</h2>{}{}</div>', phrase("push_files"), files, card)
        return self._updates(head=head, shown=shown)

    def push_started(self, request: gr.Request, repo: Any, private: Any, key: str) -> str:
        """One click, one job; the page then goes to it."""
        # Public only if somebody took the tick away: anything else that is sent is not that.
        job = pushing.submit(
            self.studio,
            _number(request),
            str(repo or ""),
            public=private is False,
            key=key or request.session_hash,
        )
        ensure_engine(self.studio)
        return f"/runs?run={job.id}"


def _number(request: gr.Request) -> int:
    asked = str(request.query_params.get("push", ""))
    if not (asked.isascii() and asked.isdigit() and len(asked) < 16):
        raise BadInput("job_not_found", job=asked[:40])
    return int(asked)
