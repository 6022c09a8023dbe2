"""How columns become records: what a record is, which role each column plays, and what is written for all.

The state ``opened`` remembers of what is being looked at: its columns, first rows, first records, the
roles chosen so far and the names of placeholders. Only this server writes it.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.i18n import t
from app.parts.adding.understood import KEEP, SHOWN_COLUMNS, columns_panel
from app.parts.html import muted
from studio_core.base.errors import BadInput
from studio_core.data.columns import names_in
from studio_core.data.guesses import in_text
from studio_core.data.mapping import KEEPING, PARTS, Mapping
from studio_core.data.shapes import Shape
from studio_core.data.store import Inspection

FILLS = 6
"""Placeholders that can be filled in on the page."""
WRITTEN = ("text", "prompt", "completion", "system", "chosen", "rejected", "label")
"""Parts for which a text can be written that holds for all records."""
SPLITS = ("auto", "paragraph", "line", "file")
# Characters of a written template or prompt: ten pages.
LONGEST = 20_000


TEXTS = tuple(f"text_{part}" for part in WRITTEN)
FILL_NAMES = tuple(f"fill_{place}" for place in range(FILLS))
TYPED = (*TEXTS, "good_from", "split", "turns_in_text", *FILL_NAMES)
"""What a person types besides shape and roles, by the names of the form's parts, in the order of ``mapping_of``."""
NAMES = ("shape", "narrow", *TYPED)
"""All that is filled in, without the table of columns."""


def build() -> dict[str, Any]:
    """Its parts by name: those of ``NAMES``, and ``columns``."""
    with gr.Row(elem_classes="ts-asking"):
        shape = gr.Dropdown(
            [(t(f"data.shape_{name}"), name.value) for name in Shape],
            label=t("data.shape"),
            info=t("data.shape_help"),
            elem_id="data-shape",
            scale=2,
        )
        narrow = gr.Textbox(
            label=t("adding.narrow"),
            info=t("adding.narrow_help"),
            visible=False,
            max_lines=1,
            elem_id="data-narrow",
            scale=1,
        )
    turns_in_text = gr.Checkbox(
        True,
        label=t("data.turns_in_text_box"),
        info=t("data.turns_in_text_help"),
        visible=False,
        elem_id="data-turns-in-text",
    )
    columns = columns_panel()
    with gr.Row(elem_id="data-fills"):
        fills = [
            gr.Textbox(visible=False, min_width=180, elem_id=f"data-fill-{place}", max_lines=1)
            for place in range(FILLS)
        ]
    with gr.Accordion(t("adding.for_all"), open=False, elem_id="data-written"):
        muted("adding.for_all_help")
        with gr.Row(elem_classes="ts-option-row"):
            texts = [
                gr.Textbox(
                    label=t(f"data.part_{part}"),
                    visible=False,
                    min_width=260,
                    max_lines=4,
                    max_length=LONGEST,
                    placeholder="{{question}}" if part != "label" else "true",
                    elem_id=f"data-text-{part}",
                )
                for part in WRITTEN
            ]
        with gr.Row(elem_classes="ts-option-row"):
            good_from = gr.Number(
                label=t("adding.good_from"),
                info=t("adding.good_from_help"),
                visible=False,
                min_width=200,
                elem_id="data-good-from",
            )
            split = gr.Dropdown(
                [(t(f"adding.split_{name}"), name) for name in SPLITS],
                label=t("adding.split"),
                info=t("adding.split_help"),
                visible=False,
                min_width=200,
                elem_id="data-split",
            )
    return {
        "shape": shape,
        "narrow": narrow,
        "columns": columns,
        **dict(zip(TEXTS, texts, strict=True)),
        "good_from": good_from,
        "split": split,
        "turns_in_text": turns_in_text,
        **dict(zip(FILL_NAMES, fills, strict=True)),
    }


def remember(inspection: Inspection, names: list[str]) -> dict[str, Any]:
    """The state for something that was just looked at."""
    return {
        "columns": inspection.columns,
        "rows": inspection.sample_rows,
        "records": inspection.sample_records,
        "shape": inspection.shape.value,
        "roles": roles_of(inspection.mapping),
        "names": names[:FILLS],
    }


def roles_of(mapping: Mapping) -> dict[str, str]:
    """``{column: role}``; a column that plays two parts shows the first."""
    roles = dict.fromkeys(mapping.keep, KEEP)
    for part, column in reversed(mapping.columns.items()):
        roles[column] = part
    return roles


def drawn(inspection: Inspection, opened: dict[str, Any]) -> dict[str, Any]:
    """Updates of all parts of ``NAMES``, for something that was just looked at."""
    needed, others = PARTS[inspection.shape]
    shown = {*needed, *others}
    in_texts = [in_text(column, _objects(inspection.sample_rows)) for column in inspection.columns]
    return {
        "shape": inspection.shape.value,
        "narrow": gr.Textbox(value="", visible=len(inspection.columns) > SHOWN_COLUMNS),
        **{f"text_{part}": gr.Textbox(value="", visible=part in shown) for part in WRITTEN},
        "good_from": gr.Number(
            value=inspection.mapping.good_from, visible=inspection.shape is Shape.UNPAIRED_PREFERENCE
        ),
        "split": gr.update(
            value=inspection.mapping.split or "auto", visible="text" in inspection.format.split(", ")
        ),
        "turns_in_text": gr.update(value=True, visible=any(in_texts)),
        **{name: gr.update(**{**box, "value": ""}) for name, box in fills(opened["names"]).items()},
    }


def fills(names: list[str]) -> dict[str, dict[str, Any]]:
    """Updates that show a box for each placeholder, and leave what was typed into it."""
    padded = [*names, *[""] * FILLS][:FILLS]
    return {
        box: gr.update(label=f"{{{{{name}}}}}", visible=bool(name))
        for box, name in zip(FILL_NAMES, padded, strict=True)
    }


def assign(opened: Any, roles: Any) -> dict[str, Any]:
    """The state after roles were chosen in the headers: ``{number of the column: role}``, of those that changed."""
    if not opened:
        raise BadInput("data.upload_gone")
    shape, columns = Shape(opened["shape"]), opened["columns"]
    allowed = {"", *PARTS[shape][0], *PARTS[shape][1], *([KEEP] if shape in KEEPING else [])}
    changes: dict[str, str] = {}
    for number, role in roles.items() if isinstance(roles, dict) else [(None, None)]:
        if not (isinstance(number, str) and number.isascii() and number.isdigit() and len(number) < 7):
            raise BadInput("adding.bad_request")
        if int(number) >= len(columns) or role not in allowed:
            raise BadInput("data.column_unknown", column=str(number)[:80])
        changes[columns[int(number)]] = role
    roles_now = {role for role in changes.values() if role not in ("", KEEP)}
    earlier = {c: role for c, role in opened["roles"].items() if c not in changes and role not in roles_now}
    return {**opened, "roles": {c: role for c, role in {**earlier, **changes}.items() if role}}


def mapping_of(opened: Any, *typed: Any) -> Mapping:
    """The mapping that roles and texts say; ``typed``: what the parts of ``TYPED`` hold."""
    if not opened:
        raise BadInput("data.upload_gone")
    shape, values = Shape(opened["shape"]), dict(zip(TYPED, typed, strict=True))
    allowed = (*PARTS[shape][0], *PARTS[shape][1])
    texts = {part: str(values[f"text_{part}"] or "")[:LONGEST] for part in WRITTEN if part in allowed}
    texts = {part: text for part, text in texts.items() if text.strip()}
    columns = set(opened["columns"])
    templates = {part: text for part, text in texts.items() if columns & set(names_in(text))}
    good_from, split = values["good_from"], values["split"]
    return Mapping(
        shape=shape,
        columns={role: column for column, role in opened["roles"].items() if role in allowed},
        constants={part: text for part, text in texts.items() if part not in templates},
        templates=templates,
        # There may be fewer names than boxes; the rest of these are hidden.
        fill={
            name: str(values[box])[:LONGEST]
            for name, box in zip(opened["names"], FILL_NAMES, strict=False)
            if values[box]
        },
        keep=[column for column, role in opened["roles"].items() if role == KEEP],
        good_from=float(good_from) if shape is Shape.UNPAIRED_PREFERENCE and _number(good_from) else None,
        split=split if split in SPLITS and split != "auto" else None,
        # On: wherever the first rows hold nothing else.
        turns_in_text=None if values["turns_in_text"] else [],
    )


def _objects(rows: list[Any]) -> list[Any]:
    return [row for row in rows if isinstance(row, dict)]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
