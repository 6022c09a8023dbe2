"""Records typed into a table on the page."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.i18n import t
from app.parts.adding import as_state
from app.parts.events import ASKED, LIGHT
from app.parts.handlers import safely
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.curation import adding
from studio_core.data.shapes import Shape

NAME = "table"

COLUMNS: dict[Shape, list[str]] = {
    Shape.PROMPT_COMPLETION: ["prompt", "completion"],
    Shape.PREFERENCE: ["prompt", "chosen", "rejected"],
    Shape.UNPAIRED_PREFERENCE: ["prompt", "completion", "label"],
    Shape.PROMPT_ONLY: ["prompt"],
    Shape.TEXT: ["text"],
}
# Enough to see that it is a table; it grows as one types.
EMPTY_ROWS = 4


def build(studio: Studio, brought: gr.State) -> None:
    shape = gr.Dropdown(
        [(t(f"data.shape_{name}"), name.value) for name in COLUMNS],
        value=Shape.PROMPT_COMPLETION.value,
        label=t("data.shape"),
        elem_id="data-table-shape",
    )
    table = gr.Dataframe(
        _empty(Shape.PROMPT_COMPLETION),
        headers=COLUMNS[Shape.PROMPT_COMPLETION],
        datatype="str",
        type="array",
        interactive=True,
        wrap=True,
        label=t("adding.table_help"),
        elem_id="data-table",
    )
    use = gr.Button(t("adding.use_rows"), variant="primary", elem_id="data-table-use")

    def shaped(name: str) -> Any:
        chosen = _shape(name)
        return gr.Dataframe(_empty(chosen), headers=COLUMNS[chosen])

    def used(name: str, rows: Any) -> dict[str, Any]:
        columns = COLUMNS[_shape(name)]
        if not isinstance(rows, list) or not all(
            isinstance(row, list) and len(row) == len(columns) for row in rows
        ):
            raise BadInput("adding.bad_request")
        return as_state(adding.typed(studio, columns, rows))

    shape.input(safely(shaped), [shape], [table], **LIGHT)
    use.click(safely(used), [shape, table], [brought], trigger_mode="once", **ASKED)


def _shape(name: Any) -> Shape:
    if name not in COLUMNS:
        raise BadInput("data.shape_unknown", shape=str(name)[:40])
    return Shape(name)


def _empty(shape: Shape) -> list[list[str]]:
    return [[""] * len(COLUMNS[shape]) for _ in range(EMPTY_ROWS)]
