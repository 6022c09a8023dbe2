"""Data: bring a file in, see what was understood of it, correct it, store it; look into what is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, say, t
from app.parts import data_view, preview_form
from app.parts.events import LIGHT, on_open
from app.parts.handlers import safely
from app.parts.html import notice, number, panel
from studio_core.data import store
from studio_core.data.mapping import PARTS, Mapping, for_shape
from studio_core.data.naming import name_from
from studio_core.data.shapes import Shape
from studio_core.data.store import Inspection
from studio_core.errors import BadInput, StudioError
from studio_core.studio import Studio

NAME = "data"
PATH = "/data"

ALL_PARTS = tuple(dict.fromkeys(part for needed, others in PARTS.values() for part in (*needed, *others)))
FILLS = 6
"""Placeholders that can be filled in on the page."""


def build(studio: Studio) -> None:
    page = DataPage(studio)
    head = panel("data-head")
    with gr.Column(elem_id="data-upload"):
        file = gr.File(label=t("data.file"), type="filepath", elem_id="data-file", height=150)
        answer = panel("data-answer")
    with gr.Column(visible=False, elem_id="data-understood") as understood:
        summary = panel("data-found")
        shape, parts, system, fills = _mapping_form()
        with gr.Row(elem_id="data-store"):
            name = gr.Textbox(
                label=t("data.name"), info=t("data.name_help"), elem_id="data-name", max_lines=1, scale=3
            )
            start = gr.Button(
                t("data.import"), variant="primary", interactive=False, elem_id="data-import", scale=2
            )
    rejected = panel("data-rejected")
    with gr.Column(visible=False, elem_id="data-preview-card") as preview:
        model, row, limit, shown = preview_form.form()
    listed = panel("data-list")
    opened = gr.State(None)

    form = [shape, *parts, system, *fills]
    seen = [answer, summary, rejected, start, shown, opened]
    queued: dict[str, Any] = {"api_visibility": "private", "trigger_mode": "always_last"}
    on_open(page.open, [head, listed, model])
    file.upload(
        safely(page.uploaded),
        [file, model, limit],
        [understood, preview, model, *form, name, *seen],
        **queued,
    )
    file.clear(safely(page.cleared), None, [understood, preview, rejected, answer, opened], **LIGHT)
    shape.input(safely(page.shaped), [file, opened, shape, model, limit], [*form, *seen], **queued)
    gr.on(
        [*(part.input for part in parts), *(box.blur for box in (system, *fills))],
        safely(page.corrected),
        [file, opened, model, limit, *form],
        seen,
        **queued,
    )
    gr.on(
        [model.input, row.change, limit.change],
        safely(page.previewed),
        [opened, model, row, limit],
        shown,
        trigger_mode="always_last",
        **LIGHT,
    )
    start.click(
        safely(page.imported),
        [file, opened, name, *form],
        [answer, listed, understood, preview, rejected, file, opened],
        api_visibility="private",
        trigger_mode="once",
        concurrency_limit=2,
    )


def _mapping_form() -> tuple[gr.Dropdown, list[gr.Dropdown], gr.Textbox, list[gr.Textbox]]:
    with gr.Accordion(t("data.mapping"), open=True, elem_id="data-mapping"):
        shape = gr.Dropdown(
            [(t(f"data.shape_{name}"), name.value) for name in Shape],
            label=t("data.shape"),
            info=t("data.shape_help"),
            elem_id="data-shape",
        )
        with gr.Row(elem_id="data-parts"):
            parts = [
                gr.Dropdown(
                    [],
                    label=t(f"data.part_{part}"),
                    visible=False,
                    min_width=180,
                    elem_id=f"data-part-{part}",
                )
                for part in ALL_PARTS
            ]
        with gr.Row():
            fills = [
                gr.Textbox(visible=False, min_width=180, elem_id=f"data-fill-{place}", max_lines=1)
                for place in range(FILLS)
            ]
        system = gr.Textbox(
            label=t("data.system"), info=t("data.system_help"), elem_id="data-system", max_lines=3
        )
    return shape, parts, system, fills


class DataPage:
    """The page's handlers. ``opened`` is what is being looked at: a dataset's id, or an uploaded file."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def open(self, request: gr.Request) -> tuple[Any, ...]:
        language = language_of(request)
        _, choices = preview_form.models(self.studio, None)
        listed = data_view.dataset_list(store.all_datasets(self.studio), language)
        return data_view.page_head(language), listed, choices

    def uploaded(
        self, file: str | None, model: str | None, limit: Any, request: gr.Request
    ) -> tuple[Any, ...]:
        """A file has arrived: say what it is, and offer its good rows."""
        language = language_of(request)
        path = self._upload(file)
        model, choices = preview_form.models(self.studio, model)
        try:
            seen = store.inspect_file(self.studio, path)
        except StudioError as error:
            # A refused file is said on the page, where it stays, not in a passing notice.
            hidden = gr.Column(visible=False)
            form = [gr.skip()] * (len(ALL_PARTS) + FILLS + 3)
            refusal = notice("bad", error.sentence(language))
            return hidden, hidden, choices, *form, refusal, "", "", gr.Button(interactive=False), "", None
        opened = _opened(seen, seen.placeholders)
        shown = gr.Column(visible=True)
        return (
            shown,
            shown,
            choices,
            *_form(seen, opened),
            name_from(seen.source),
            *self._seen(seen, opened, model, limit, language),
        )

    def cleared(self) -> tuple[Any, ...]:
        hidden = gr.Column(visible=False)
        return hidden, hidden, "", "", None

    def shaped(
        self, file: str | None, opened: Any, shape: str, model: str | None, limit: Any, request: gr.Request
    ) -> tuple[Any, ...]:
        """Another shape was chosen: find the likeliest columns for it."""
        language = language_of(request)
        path = self._upload(file)
        first = store.inspect_file(self.studio, path, mapping=Mapping(shape=_shape(shape)))
        mapping = for_shape(_shape(shape), first.columns, first.sample_rows)
        seen = store.inspect_file(self.studio, path, mapping=mapping)
        opened = _opened(seen, seen.placeholders)
        return *_form(seen, opened), *self._seen(seen, opened, model, limit, language)

    def corrected(
        self, request: gr.Request, file: str | None, opened: Any, model: str | None, limit: Any, *form: Any
    ) -> tuple[Any, ...]:
        """A column, the system prompt or a filler was changed: check all rows again."""
        path = self._upload(file)
        seen = store.inspect_file(self.studio, path, mapping=_mapping(opened, *form))
        # Names that have been filled in keep their boxes.
        names = list(dict.fromkeys([*opened["names"], *seen.placeholders]))
        return self._seen(seen, _opened(seen, names), model, limit, language_of(request))

    def previewed(
        self, opened: Any, model: str | None, row: Any, limit: Any, request: gr.Request
    ) -> Markup | str:
        return self._preview(opened, model, row, limit, language_of(request))

    def imported(
        self, request: gr.Request, file: str | None, opened: Any, name: str, *form: Any
    ) -> tuple[Any, ...]:
        """Store the good rows."""
        language = language_of(request)
        path = self._upload(file)
        imported = store.import_file(
            self.studio, path, name=str(name or "").strip() or None, mapping=_mapping(opened, *form)
        )
        hidden = gr.Column(visible=False)
        listed = data_view.dataset_list(store.all_datasets(self.studio), language)
        rejected = data_view.rejected_rows(imported.rejected, len(imported.rejected), language, closed=True)
        return data_view.imported_notice(imported, language), listed, hidden, hidden, rejected, None, None

    def _upload(self, file: str | None) -> Path:
        """The uploaded file; a path from elsewhere is refused."""
        uploads = self.studio.settings.uploads.resolve()
        path = Path(file or "").resolve()
        if not file or not path.is_relative_to(uploads) or not path.is_file():
            raise BadInput("data.upload_gone")
        return path

    def _seen(
        self, seen: Inspection, opened: dict[str, Any], model: str | None, limit: Any, language: str
    ) -> tuple[Any, ...]:
        key = "data.import_all" if not seen.bad else "data.import_good"
        label = say(key, language, n=number(seen.good)) if seen.good else say("data.import", language)
        return (
            "",
            data_view.found(seen, language),
            data_view.rejected_rows(seen.reasons, seen.bad, language),
            gr.Button(label, interactive=seen.good > 0),
            self._preview(opened, model, 1, limit, language),
            opened,
        )

    def _preview(self, opened: Any, model: str | None, row: Any, limit: Any, language: str) -> Markup | str:
        records = opened["records"] if opened else []
        record = records[min(max(1, int(row or 1)), len(records)) - 1] if records else None
        shape = opened["shape"] if opened else Shape.TEXT
        return preview_form.shown(self.studio, model, shape, record, limit, language)


def _opened(seen: Inspection, names: list[str]) -> dict[str, Any]:
    """What is remembered of an uploaded file between two clicks."""
    return {
        "records": seen.sample_records,
        "shape": seen.shape.value,
        "columns": seen.columns,
        "names": names[:FILLS],
    }


def _shape(value: Any) -> Shape:
    try:
        return Shape(value)
    except ValueError as error:
        raise BadInput("data.shape_unknown", shape=str(value)[:40]) from error


def _form(seen: Inspection, opened: dict[str, Any]) -> list[Any]:
    """Shape, a dropdown for each part that the shape has, the system prompt, and boxes for placeholders."""
    needed, others = PARTS[seen.shape]
    parts = [
        gr.Dropdown(
            choices=[("–", ""), *((column, column) for column in seen.columns)],
            value=seen.mapping.columns.get(part, ""),
            visible=part in (*needed, *others),
        )
        for part in ALL_PARTS
    ]
    names = [*opened["names"], *[""] * FILLS][:FILLS]
    fills = [gr.Textbox(label=f"{{{{{name}}}}}", value="", visible=bool(name)) for name in names]
    return [seen.shape.value, *parts, gr.Textbox(value="", visible="system" in others), *fills]


def _mapping(opened: Any, shape: Any, *form: Any) -> Mapping:
    """The mapping that the form says; columns that the file does not have are refused."""
    if not opened or "columns" not in opened:
        raise BadInput("data.upload_gone")
    kind = _shape(shape)
    chosen, system, fills = form[: len(ALL_PARTS)], form[len(ALL_PARTS)], form[len(ALL_PARTS) + 1 :]
    allowed = (*PARTS[kind][0], *PARTS[kind][1])
    columns = {p: str(c) for p, c in zip(ALL_PARTS, chosen, strict=True) if c and p in allowed}
    for column in columns.values():
        if column not in opened["columns"]:
            raise BadInput("data.column_unknown", column=column[:80])
    values = dict(zip(opened["names"], fills, strict=False))
    return Mapping(
        shape=kind,
        columns=columns,
        constants={"system": str(system)} if system and str(system).strip() else {},
        fill={name: str(value) for name, value in values.items() if value},
        keep=[c for c in opened["columns"] if c not in columns.values()] if kind is Shape.PROMPT_ONLY else [],
    )
