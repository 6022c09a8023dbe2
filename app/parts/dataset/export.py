"""Export: a version as a file for other programs, or in a repository on the Hub."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, phrases, say, t
from app.parts import downloads
from app.parts.dataset import opened
from app.parts.events import ASKED, on_open
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import html, join, notice, number, panel, size, stat
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.data import exports, hub_push, outgoing
from studio_core.data.exports import LAYOUTS, Fit
from studio_core.data.shapes import Shape

NAME = "export"

FIRST = 2_000
"""Rows that are looked at before all are."""

_SHOWN = 4_000
"""Characters of the first record."""


def build(studio: Studio, tab: gr.Tab) -> None:
    with gr.Row():
        layout = gr.Dropdown(
            [(t(known.title_key), name) for name, known in LAYOUTS.items()],
            value="trl",
            label=t("exports.layout"),
            elem_id="export-layout",
        )
        format = gr.Dropdown(
            list(exports.FORMATS), value="jsonl", label=t("exports.format"), elem_id="export-format"
        )
    shown = panel("dataset-export")
    hub = panel("export-hub")
    with gr.Row():
        repo = gr.Textbox(
            label=t("exports.hub_repo"),
            info=t("exports.hub_repo.help"),
            placeholder="your-name/dataset-name",
            max_lines=1,
            elem_id="export-repo",
        )
        public = gr.Checkbox(
            label=t("exports.hub_public"), info=t("exports.hub_public.help"), elem_id="export-public"
        )
    push = gr.Button(t("exports.hub_push"), elem_id="export-push")
    pushed = panel("export-pushed")

    section = Export(studio, {"layout": layout, "format": format, "shown": shown, "hub": hub})
    on_open(section.open, [layout, format, shown, hub])
    layout.input(
        safely(section.choose), [layout, format], [format, shown], trigger_mode="always_last", **ASKED
    )
    format.input(safely(section.look), [layout, format], shown, trigger_mode="always_last", **ASKED)
    push.click(safely(section.push), [repo, public], pushed, trigger_mode="once", **ASKED)


class Export(Handlers):
    """What the section does when the page is opened, on a choice, and on the button that pushes."""

    def open(self, request: gr.Request) -> Updates:
        dataset, language = opened(self.studio, request), language_of(request)
        fitting = exports.layouts_for(Shape(dataset.shape))
        choices = [(t(layout.title_key), layout.name) for layout in fitting]
        fit = outgoing.look(self.studio, dataset)
        return self._updates(
            layout=gr.Dropdown(choices=choices, value="trl"),
            format=gr.Dropdown(choices=list(LAYOUTS["trl"].formats), value="jsonl"),
            shown=view(dataset, fit, language),
            hub=html(
                '<div class="ts-stack"><section><h2>{}</h2><p class="ts-muted">{}</p></section></div>',
                say("exports.hub_title", language),
                say("exports.hub_note", language),
            ),
        )

    def choose(self, layout: str, format: str, request: gr.Request) -> Iterator[Updates]:
        """Another layout, with the formats that it has."""
        formats = LAYOUTS[layout].formats if layout in LAYOUTS else exports.FORMATS
        chosen = format if format in formats else formats[0]
        for shown in self.look(layout, chosen, request):
            yield self._updates(format=gr.Dropdown(choices=list(formats), value=chosen), shown=shown)

    def look(self, layout: str, format: str, request: gr.Request) -> Iterator[Markup]:
        """What a file would hold; first what can be said at once."""
        dataset, language = opened(self.studio, request), language_of(request)
        layout, format = str(layout), str(format)
        if dataset.rows > FIRST:
            yield view(dataset, outgoing.look(self.studio, dataset, format, layout, FIRST), language)
        yield view(dataset, outgoing.look(self.studio, dataset, format, layout), language)

    def push(self, repo: str, public: bool, request: gr.Request) -> Iterator[Markup]:
        dataset, language = opened(self.studio, request), language_of(request)
        phrase = phrases("exports.", language)
        repo = str(repo or "").strip()
        yield notice("info", phrase("hub_pushing", rows=number(dataset.rows), repo=repo[:200]))
        try:
            result = hub_push.push(self.studio, dataset, repo, public=bool(public))
        except Exception:
            yield Markup()
            raise
        sentence = phrase(
            "hub_done_public" if result.public else "hub_done_private",
            dataset=f"{dataset.name}@{dataset.version}",
            repo=result.repo,
        )
        link = html('<a href="{0}" rel="noopener noreferrer" target="_blank">{0}</a>', result.url)
        yield notice("good", html("{} {}", sentence, link))


def view(dataset: Dataset, fit: Fit, language: str) -> Markup:
    """What the file will hold, what it cannot, its first record, and the links that fetch it."""
    phrase = phrases("exports.", language)
    rows = dataset.rows if fit.first else fit.rows
    figures = [
        stat(phrase("records"), number(rows)),
        stat(phrase("size"), size(fit.bytes / max(1, fit.rows) * rows), phrase("size_about")),
    ]
    layout = LAYOUTS[fit.layout]
    sentences = exports.describe_fit(fit, language)
    kinds = ["warn" if fit.lost else "good", *["info"] * (len(sentences) - 1)]
    if fit.first:
        sentences.append(phrase("checked_first", rows=number(fit.first)))
        kinds.append("info")
    return html(
        '<section class="ts-card ts-stack"><p class="ts-muted">{}</p><div class="ts-figures">{}</div>{}'
        '<div><p class="ts-label">{}</p><pre class="ts-tokens" tabindex="0">{}</pre></div>{}</section>',
        say(layout.help_key, language),
        join(figures),
        join([notice(kind, sentence) for kind, sentence in zip(kinds, sentences, strict=True)]),
        phrase("first_record"),
        fit.sample[:_SHOWN] + (" …" if len(fit.sample) > _SHOWN else ""),
        _links(dataset, fit, language) if fit.rows else Markup(),
    )


def _links(dataset: Dataset, fit: Fit, language: str) -> Markup:
    skip = fit.lost > 0
    file = outgoing.file_name(dataset, fit.format, fit.layout)
    plain = downloads.address(dataset.id, fit.format, fit.layout, skip=skip)
    with_card = downloads.address(dataset.id, fit.format, fit.layout, skip=skip, card=True)
    return html(
        '<div class="ts-actions"><a class="ts-button ts-button-primary" id="export-download" href="{}" download>{}'
        '</a><a class="ts-button" id="export-download-card" href="{}" download>{}</a></div>',
        plain,
        say("exports.download_skip" if skip else "exports.download", language, file=file),
        with_card,
        say("exports.download_card", language),
    )
