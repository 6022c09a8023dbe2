"""Editing single records by hand: each text in a field of its own, until all changes become one new version."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import gradio as gr
from gradio.components import Component
from markupsafe import Markup

from app.i18n import language_of, say, t
from app.parts import curation_view
from app.parts.dataset import opened
from app.parts.events import ASKED, LIGHT, on_open
from app.parts.handlers import safely
from app.parts.html import html, join, notice
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.curation import improving
from studio_core.curation.base import validated
from studio_core.curation.edit import EDIT, Change, EditOptions, checked
from studio_core.data import store
from studio_core.data.shapes import Record

FIELDS = 16
"""Texts of one record that have a field; what lies beyond is edited as JSON."""
LISTED = 20
"""Changes that are shown before they are made."""


class Place(NamedTuple):
    """Where in a record a text stands."""

    column: str
    turn: int | None = None
    role: str = ""


def places(record: Record) -> Iterator[Place]:
    """All texts of a record, in order."""
    for column, value in record.items():
        if isinstance(value, list):
            for turn, item in enumerate(value):
                if isinstance(item, dict):
                    yield Place(column, turn, item["role"])
                elif isinstance(item, str):
                    yield Place(column, turn)
        elif isinstance(value, str) or value is None:
            yield Place(column)


def text_at(record: Record, place: Place) -> str:
    value = record[place.column]
    if place.turn is not None:
        value = value[place.turn]
    return str(value["content"] if place.role else value or "")


def with_text(record: Record, place: Place, text: str) -> Record:
    """The record with another text at one place."""
    if place.turn is None:
        return {**record, place.column: text if text or record[place.column] is not None else None}
    items = list(record[place.column])
    items[place.turn] = {**items[place.turn], "content": text} if place.role else text
    return {**record, place.column: items}


def build(studio: Studio, changes: Component, trial: Component) -> None:
    """Fields for one record above ``changes``, which holds all changes as JSON; they are shown in ``trial``."""
    editor = RecordEditor(studio)
    with gr.Row(elem_id="editor-turning"):
        row = gr.Number(
            1,
            label=t("curation.editor.row"),
            precision=0,
            minimum=1,
            elem_id="editor-row",
            scale=0,
            min_width=150,
        )
        back = gr.Button(t("data.previous"), elem_id="editor-back", scale=0, min_width=150)
        forward = gr.Button(t("data.next"), elem_id="editor-forward", scale=0, min_width=120)
    boxes = [
        gr.Textbox(visible=False, lines=1, max_lines=12, elem_id=f"editor-text-{place}")
        for place in range(FIELDS)
    ]
    good = gr.Checkbox(label=t("data.label_good"), visible=False, elem_id="editor-good")
    with gr.Row():
        keep = gr.Button(t("curation.editor.keep"), elem_id="editor-keep", scale=0, min_width=220)
        delete = gr.Button(t("curation.editor.delete"), elem_id="editor-delete", scale=0, min_width=220)
    with gr.Accordion(t("curation.editor.json"), open=False, elem_id="editor-as-json"):
        written = gr.Textbox(label=t("curation.editor.record"), lines=8, max_lines=30, elem_id="editor-json")
        with gr.Row():
            keep_json = gr.Button(
                t("curation.editor.keep"), elem_id="editor-keep-json", scale=0, min_width=220
            )
            add = gr.Button(t("curation.editor.add"), elem_id="editor-add", scale=0, min_width=220)

    shown = [row, *boxes, good, written]
    on_open(editor.opened, shown)
    row.submit(safely(editor.loaded), [row, changes], shown, **LIGHT)
    back.click(safely(editor.back), [row, changes], shown, **LIGHT)
    forward.click(safely(editor.forward), [row, changes], shown, **LIGHT)
    kept = [changes, *shown]
    keep.click(safely(editor.kept), [row, changes, good, *boxes], kept, trigger_mode="once", **ASKED)
    delete.click(safely(editor.deleted), [row, changes], kept, trigger_mode="once", **ASKED)
    keep_json.click(safely(editor.kept_json), [row, changes, written], kept, trigger_mode="once", **ASKED)
    add.click(safely(editor.added), [row, changes, written], kept, trigger_mode="once", **ASKED)
    changes.change(safely(editor.pending), [changes], trial, **LIGHT)  # type: ignore[attr-defined]


class RecordEditor:
    """What the fields and buttons do. Nothing is stored before the operation is started."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def opened(self, request: gr.Request) -> list[Any]:
        asked = str(request.query_params.get("row", ""))
        row = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 16 else 1
        return self._shown(opened(self.studio, request), row, [], language_of(request))

    def loaded(self, request: gr.Request, row: Any, changes: str) -> list[Any]:
        return self._shown(opened(self.studio, request), _whole(row), read(changes), language_of(request))

    def back(self, request: gr.Request, row: Any, changes: str) -> list[Any]:
        return self.loaded(request, _whole(row) - 1, changes)

    def forward(self, request: gr.Request, row: Any, changes: str) -> list[Any]:
        return self.loaded(request, _whole(row) + 1, changes)

    def kept(self, request: gr.Request, row: Any, changes: str, good: bool, *texts: str) -> list[Any]:
        """Note what the fields hold as a change of this row."""
        dataset, known = opened(self.studio, request), read(changes)
        row, record = self._record(dataset, _whole(row), known)
        for place, text in zip(list(places(record))[:FIELDS], texts, strict=False):
            record = with_text(record, place, str(text or ""))
        if "label" in record:
            record = {**record, "label": bool(good)}
        return self._noted(request, dataset, row, Change(row=row, record=record), known)

    def deleted(self, request: gr.Request, row: Any, changes: str) -> list[Any]:
        dataset, known = opened(self.studio, request), read(changes)
        row = self._within(dataset, _whole(row))
        return self._noted(request, dataset, row, Change(row=row), known)

    def kept_json(self, request: gr.Request, row: Any, changes: str, written: str) -> list[Any]:
        dataset = opened(self.studio, request)
        row = self._within(dataset, _whole(row))
        return self._noted(request, dataset, row, Change(row=row, record=_record(written)), read(changes))

    def added(self, request: gr.Request, row: Any, changes: str, written: str) -> list[Any]:
        dataset = opened(self.studio, request)
        return self._noted(request, dataset, _whole(row), Change(record=_record(written)), read(changes))

    def pending(self, request: gr.Request, changes: str) -> Markup:
        """What the new version would change."""
        dataset, language = opened(self.studio, request), language_of(request)
        known = read(changes)
        if not known:
            return Markup()
        head = say("curation.editor.pending", language, n=len(known))
        listed = join(self._pending(dataset, change, language) for change in known[:LISTED])
        return html('<div class="ts-card ts-trial"><h3>{}</h3>{}</div>', head, listed)

    def _pending(self, dataset: Dataset, change: Change, language: str) -> Markup:
        if change.row is None:
            return curation_view.records_beside([("after", change.record or {})], dataset.rows + 1, language)
        before = store.records(self.studio, dataset, change.row - 1, 1)
        if not before:
            title = f"{dataset.name}@{dataset.version}"
            sentence = say("curation.no_row", language, row=change.row, dataset=title, rows=dataset.rows)
            return notice("warn", sentence)
        if change.record is None:
            return curation_view.dropped(change.row, before[0], language)
        sides = [("before", before[0]), ("after", change.record)]
        return curation_view.records_beside(sides, change.row, language)

    def _noted(
        self, request: gr.Request, dataset: Dataset, row: int, change: Change, known: list[Change]
    ) -> list[Any]:
        """The changes with this one, which must pass the checks of an import; a change back to what was is none."""
        checked(improving.source_of(self.studio, dataset), [change])
        others = [other for other in known if change.row is None or other.row != change.row]
        same = change.row is not None and change.record is not None
        if not (same and store.records(self.studio, dataset, row - 1, 1) == [change.record]):
            others.append(change)
        return [written(others), *self._shown(dataset, row, others, language_of(request))]

    def _within(self, dataset: Dataset, row: int) -> int:
        return min(max(1, row), dataset.rows)

    def _record(self, dataset: Dataset, row: int, changes: list[Change]) -> tuple[int, Record]:
        """The row, kept within the dataset, and its record: as it was changed, if it was."""
        row = self._within(dataset, row)
        changed = next((one.record for one in changes if one.row == row and one.record), None)
        return row, changed or store.records(self.studio, dataset, row - 1, 1)[0]

    def _shown(self, dataset: Dataset, row: int, changes: list[Change], language: str) -> list[Any]:
        """Row, the fields with their names, the label, and the record as JSON."""
        row, record = self._record(dataset, row, changes)
        shown = list(places(record))[:FIELDS]
        boxes = [
            gr.Textbox(label=_name(place, language), value=text_at(record, place), visible=True)
            for place in shown
        ]
        boxes += [gr.Textbox(value="", visible=False)] * (FIELDS - len(shown))
        label = gr.Checkbox(visible="label" in record, value=bool(record.get("label")))
        return [row, *boxes, label, json.dumps(record, ensure_ascii=False, indent=2)]


def read(changes: str) -> list[Change]:
    """The changes that the JSON holds; raises ``BadInput``."""
    if not changes.strip():
        return []
    try:
        given = json.loads(changes)
    except (ValueError, RecursionError) as error:
        raise BadInput("options.not_json", option="changes", value=changes[:80], reason=error) from error
    options = validated(EDIT, {"changes": given})
    return options.changes if isinstance(options, EditOptions) else []


def written(changes: list[Change]) -> str:
    return json.dumps([change.model_dump() for change in changes], ensure_ascii=False) if changes else ""


def _record(text: str) -> Record:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput("options.not_json", option="record", value=text[:80], reason=error) from error
    if not isinstance(record, dict):
        raise BadInput("options.not_json", option="record", value=text[:80], reason="{ }")
    return record


def _name(place: Place, language: str) -> str:
    """What a field is called: its role, and its column where several have turns."""
    role = say(f"data.role_{place.role}", language) if place.role else ""
    column = curation_view.named(place.column, language, f"data.part_{place.column}")
    if not role:
        return column if place.turn is None else f"{column} {place.turn + 1}"
    return role if place.column in ("messages", "prompt", "completion") else f"{column} · {role}"


def _whole(given: Any) -> int:
    return int(given) if isinstance(given, int | float) and abs(given) < 1e15 else 1
