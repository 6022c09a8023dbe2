"""How columns become records: what a record is, which role each column plays, and what is written for all.

The state ``opened`` remembers of what is being looked at: its columns, first rows, first records, the
roles chosen so far and the names of placeholders. Only this server writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.i18n import t
from app.parts.adding.understood import KEEP, SHOWN_COLUMNS, columns_panel
from app.parts.html import muted
from studio_core.base.errors import BadInput
from studio_core.data.columns import names_in
from studio_core.data.mapping import PARTS, Mapping, in_text
from studio_core.data.shapes import Shape
from studio_core.data.store import Inspection

FILLS = 6
"""Placeholders that can be filled in on the page."""
WRITTEN = ("text", "prompt", "completion", "system", "chosen", "rejected", "label")
"""Parts for which a text can be written that holds for all records."""
SPLITS = ("auto", "paragraph", "line", "file")
# Characters of a written template or prompt: ten pages.
LONGEST = 20_000


@dataclass(frozen=True)
class MappingForm:
    shape: gr.Dropdown
    narrow: gr.Textbox
    columns: gr.HTML
    texts: list[gr.Textbox]
    good_from: gr.Number
    split: gr.Dropdown
    turns_in_text: gr.Checkbox
    fills: list[gr.Textbox]

    @property
    def typed(self) -> list[Any]:
        """What a person types besides shape and roles, in the order that ``mapping_of`` takes."""
        return [*self.texts, self.good_from, self.split, self.turns_in_text, *self.fills]


def build() -> MappingForm:
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
    return MappingForm(shape, narrow, columns, texts, good_from, split, turns_in_text, fills)


def remembered(seen: Inspection, names: list[str]) -> dict[str, Any]:
    """The state for something that was just looked at."""
    return {
        "columns": seen.columns,
        "rows": seen.sample_rows,
        "records": seen.sample_records,
        "shape": seen.shape.value,
        "roles": roles_of(seen.mapping),
        "names": names[:FILLS],
    }


def roles_of(mapping: Mapping) -> dict[str, str]:
    """``{column: role}``; a column that plays two parts shows the first."""
    roles = dict.fromkeys(mapping.keep, KEEP)
    for part, column in reversed(mapping.columns.items()):
        roles[column] = part
    return roles


def drawn(seen: Inspection, opened: dict[str, Any]) -> list[Any]:
    """Updates of shape, filter, texts, rating, split, turns in text and placeholders."""
    needed, others = PARTS[seen.shape]
    texts = [gr.Textbox(value="", visible=part in (*needed, *others)) for part in WRITTEN]
    empty = [gr.update(**{**box, "value": ""}) for box in fills(opened["names"])]
    rated = seen.shape is Shape.UNPAIRED_PREFERENCE
    prose = "text" in seen.format.split(", ")
    return [
        seen.shape.value,
        gr.Textbox(value="", visible=len(seen.columns) > SHOWN_COLUMNS),
        *texts,
        gr.Number(value=seen.mapping.good_from, visible=rated),
        gr.update(value=seen.mapping.split or "auto", visible=prose),
        gr.update(
            value=True,
            visible=any(in_text(column, _objects(seen.sample_rows)) for column in seen.columns),
        ),
        *empty,
    ]


def fills(names: list[str]) -> list[dict[str, Any]]:
    """Updates that show a box for each placeholder, and leave what was typed into it."""
    padded = [*names, *[""] * FILLS][:FILLS]
    return [gr.update(label=f"{{{{{name}}}}}", visible=bool(name)) for name in padded]


def assigned(opened: Any, roles: Any) -> dict[str, Any]:
    """The state after roles were chosen in the headers: ``{number of the column: role}``, of those that changed."""
    if not opened:
        raise BadInput("data.upload_gone")
    shape, columns = Shape(opened["shape"]), opened["columns"]
    allowed = {"", *PARTS[shape][0], *PARTS[shape][1], *([KEEP] if shape is Shape.PROMPT_ONLY else [])}
    given: dict[str, str] = {}
    for number, role in roles.items() if isinstance(roles, dict) else [(None, None)]:
        if not (isinstance(number, str) and number.isascii() and number.isdigit() and len(number) < 7):
            raise BadInput("adding.bad_request")
        if int(number) >= len(columns) or role not in allowed:
            raise BadInput("data.column_unknown", column=str(number)[:80])
        given[columns[int(number)]] = role
    taken = {role for role in given.values() if role not in ("", KEEP)}
    earlier = {c: role for c, role in opened["roles"].items() if c not in given and role not in taken}
    return {**opened, "roles": {c: role for c, role in {**earlier, **given}.items() if role}}


def mapping_of(opened: Any, *typed: Any) -> Mapping:
    """The mapping that roles and texts say."""
    if not opened:
        raise BadInput("data.upload_gone")
    shape = Shape(opened["shape"])
    allowed = (*PARTS[shape][0], *PARTS[shape][1])
    texts = {
        part: str(text)[:LONGEST]
        for part, text in zip(WRITTEN, typed[: len(WRITTEN)], strict=True)
        if text and str(text).strip() and part in allowed
    }
    good_from, split, turns_in_text, *fills = typed[len(WRITTEN) :]
    known = set(opened["columns"])
    templates = {part: text for part, text in texts.items() if known & set(names_in(text))}
    return Mapping(
        shape=shape,
        columns={role: column for column, role in opened["roles"].items() if role in allowed},
        constants={part: text for part, text in texts.items() if part not in templates},
        templates=templates,
        fill={n: str(v)[:LONGEST] for n, v in zip(opened["names"], fills, strict=False) if v},
        keep=[column for column, role in opened["roles"].items() if role == KEEP],
        good_from=float(good_from) if shape is Shape.UNPAIRED_PREFERENCE and _number(good_from) else None,
        split=split if split in SPLITS and split != "auto" else None,
        # On: wherever the first rows hold nothing else.
        turns_in_text=None if turns_in_text else [],
    )


def _objects(rows: list[Any]) -> list[Any]:
    return [row for row in rows if isinstance(row, dict)]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
