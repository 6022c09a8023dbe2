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
from app.parts.handlers import Handlers, Updates, safely
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
    parts = {"changes": changes, **_turning()}
    boxes = [
        gr.Textbox(visible=False, lines=1, max_lines=12, elem_id=f"editor-text-{place}")
        for place in range(FIELDS)
    ]
    parts |= {box_name(place): box for place, box in enumerate(boxes)}
    parts |= _buttons()
    editor = RecordEditor(studio, parts)
    row = parts["row"]
    record = [row, *boxes, parts["good"], parts["json"]]
    on_open(editor.opened, record)
    for event, turn in (
        (row.submit, editor.loaded),
        (parts["back"].click, editor.back),
        (parts["forward"].click, editor.forward),
    ):
        event(safely(turn), [row, changes], record, **LIGHT)
    for name, note, more in (
        ("keep", editor.note_texts, [parts["good"], *boxes]),
        ("delete", editor.note_deletion, []),
        ("keep-json", editor.note_json, [parts["json"]]),
        ("add", editor.note_addition, [parts["json"]]),
    ):
        parts[name].click(
            safely(note), [row, changes, *more], [changes, *record], trigger_mode="once", **ASKED
        )
    changes.change(safely(editor.pending), [changes], trial, **LIGHT)  # type: ignore[attr-defined]


def box_name(place: int) -> str:
    """Under which name the field of a record's text stands among the parts."""
    return f"text-{place}"


def _turning() -> dict[str, Any]:
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
    return {"row": row, "back": back, "forward": forward}


def _buttons() -> dict[str, Any]:
    """What stands below the texts: the label, what becomes of the record, and the record as JSON."""
    good = gr.Checkbox(label=t("data.label_good"), visible=False, elem_id="editor-good")
    with gr.Row():
        keep = gr.Button(t("curation.editor.keep"), elem_id="editor-keep", scale=0, min_width=220)
        delete = gr.Button(t("curation.editor.delete"), elem_id="editor-delete", scale=0, min_width=220)
    with gr.Accordion(t("curation.editor.json"), open=False, elem_id="editor-as-json"):
        record = gr.Textbox(label=t("curation.editor.record"), lines=8, max_lines=30, elem_id="editor-json")
        with gr.Row():
            keep_json = gr.Button(
                t("curation.editor.keep"), elem_id="editor-keep-json", scale=0, min_width=220
            )
            add = gr.Button(t("curation.editor.add"), elem_id="editor-add", scale=0, min_width=220)
    return {"good": good, "keep": keep, "delete": delete, "json": record, "keep-json": keep_json, "add": add}


class RecordEditor(Handlers):
    """What the fields and buttons do. Nothing is stored before the operation is started."""

    def opened(self, request: gr.Request) -> Updates:
        asked = str(request.query_params.get("row", ""))
        row = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 16 else 1
        return self._record_updates(opened(self.studio, request), row, [], language_of(request))

    def loaded(self, request: gr.Request, row: Any, changes: str) -> Updates:
        dataset = opened(self.studio, request)
        return self._record_updates(dataset, _whole(row), read(changes), language_of(request))

    def back(self, request: gr.Request, row: Any, changes: str) -> Updates:
        return self.loaded(request, _whole(row) - 1, changes)

    def forward(self, request: gr.Request, row: Any, changes: str) -> Updates:
        return self.loaded(request, _whole(row) + 1, changes)

    def note_texts(self, request: gr.Request, row: Any, changes: str, good: bool, *texts: str) -> Updates:
        """Note what the fields hold as a change of this row."""
        dataset, earlier = opened(self.studio, request), read(changes)
        row, record = self._record(dataset, _whole(row), earlier)
        # A record has fewer texts than there are fields; the rest of them are hidden and empty.
        for place, text in zip(list(places(record))[:FIELDS], texts, strict=False):
            record = with_text(record, place, str(text or ""))
        if "label" in record:
            record = {**record, "label": bool(good)}
        return self._note(request, dataset, row, Change(row=row, record=record), earlier)

    def note_deletion(self, request: gr.Request, row: Any, changes: str) -> Updates:
        dataset, earlier = opened(self.studio, request), read(changes)
        row = self._within(dataset, _whole(row))
        return self._note(request, dataset, row, Change(row=row), earlier)

    def note_json(self, request: gr.Request, row: Any, changes: str, record: str) -> Updates:
        dataset = opened(self.studio, request)
        row = self._within(dataset, _whole(row))
        return self._note(request, dataset, row, Change(row=row, record=_record(record)), read(changes))

    def note_addition(self, request: gr.Request, row: Any, changes: str, record: str) -> Updates:
        dataset = opened(self.studio, request)
        return self._note(request, dataset, _whole(row), Change(record=_record(record)), read(changes))

    def pending(self, request: gr.Request, changes: str) -> Markup:
        return pending(self.studio, opened(self.studio, request), changes, language_of(request))

    def _note(
        self, request: gr.Request, dataset: Dataset, row: int, change: Change, earlier: list[Change]
    ) -> Updates:
        """The changes with this one, which must pass the checks of an import; a change back to what was is none."""
        checked(improving.source_of(self.studio, dataset), [change])
        # One change for each row, the newest; records that are added have no row, and all stay.
        changes = [other for other in earlier if change.row is None or other.row != change.row]
        same = change.row is not None and change.record is not None
        if not (same and store.records(self.studio, dataset, row - 1, 1) == [change.record]):
            changes.append(change)
        updates = self._record_updates(dataset, row, changes, language_of(request))
        return {**self._updates(changes=as_json(changes)), **updates}

    def _within(self, dataset: Dataset, row: int) -> int:
        return min(max(1, row), dataset.rows)

    def _record(self, dataset: Dataset, row: int, changes: list[Change]) -> tuple[int, Record]:
        """The row, kept within the dataset, and its record: as it was changed, if it was."""
        row = self._within(dataset, row)
        new = next((change.record for change in changes if change.row == row and change.record), None)
        return row, new or store.records(self.studio, dataset, row - 1, 1)[0]

    def _record_updates(self, dataset: Dataset, row: int, changes: list[Change], language: str) -> Updates:
        """Row, the fields with their names, the label, and the record as JSON."""
        row, record = self._record(dataset, row, changes)
        texts = list(places(record))[:FIELDS]
        boxes = [
            gr.Textbox(label=_name(place, language), value=text_at(record, place), visible=True)
            for place in texts
        ]
        boxes += [gr.Textbox(value="", visible=False)] * (FIELDS - len(texts))
        return self._updates(
            row=row,
            good=gr.Checkbox(visible="label" in record, value=bool(record.get("label"))),
            json=json.dumps(record, ensure_ascii=False, indent=2),
            **{box_name(place): box for place, box in enumerate(boxes)},
        )


def pending(studio: Studio, dataset: Dataset, changes: str, language: str) -> Markup:
    """What the new version would change; raises ``BadInput`` for changes that are none."""
    ahead = read(changes)
    if not ahead:
        return Markup()
    head = say("curation.editor.pending", language, n=len(ahead))
    listed = join(_before_and_after(studio, dataset, change, language) for change in ahead[:LISTED])
    return html('<div class="ts-card ts-trial"><h3>{}</h3>{}</div>', head, listed)


def _before_and_after(studio: Studio, dataset: Dataset, change: Change, language: str) -> Markup:
    if change.row is None:
        return curation_view.records_beside([("after", change.record or {})], dataset.rows + 1, language)
    before = store.records(studio, dataset, change.row - 1, 1)
    if not before:
        title = f"{dataset.name}@{dataset.version}"
        sentence = say("curation.no_row", language, row=change.row, dataset=title, rows=dataset.rows)
        return notice("warn", sentence)
    if change.record is None:
        return curation_view.dropped(change.row, before[0], language)
    sides = [("before", before[0]), ("after", change.record)]
    return curation_view.records_beside(sides, change.row, language)


def read(changes: str) -> list[Change]:
    """The changes that the JSON holds; raises ``BadInput``."""
    if not changes.strip():
        return []
    try:
        parsed = json.loads(changes)
    except (ValueError, RecursionError) as error:
        raise BadInput("options.not_json", option="changes", value=changes[:80], reason=error) from error
    options = validated(EDIT, {"changes": parsed})
    return options.changes if isinstance(options, EditOptions) else []


def as_json(changes: list[Change]) -> str:
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


def _whole(value: Any) -> int:
    """A row number that a browser sent; 1 for what is none."""
    return int(value) if isinstance(value, int | float) and abs(value) < 1e15 else 1
