"""A dataset of the Hub by its name: a job fetches rows, which are then looked at like a file."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.i18n import t
from app.parts.events import ASKED
from app.parts.handlers import safely
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.curation import adding
from studio_core.runs.engine_process import ensure_engine

NAME = "hub"


def build(studio: Studio, running: gr.State) -> None:
    with gr.Row(elem_classes="ts-asking"):
        name = gr.Textbox(
            label=t("adding.hub_dataset"),
            info=t("adding.hub_dataset_help"),
            max_lines=1,
            scale=3,
            elem_id="data-hub",
        )
        rows = gr.Number(
            1000,
            label=t("adding.hub_rows"),
            info=t("adding.hub_rows_help"),
            precision=0,
            minimum=0,
            min_width=140,
            elem_id="data-hub-rows",
        )
    with gr.Row(elem_classes="ts-asking"):
        subset, split, revision = (
            gr.Textbox(
                value="train" if part == "split" else "",
                label=t(f"adding.hub_{part}"),
                info=t(f"adding.hub_{part}_help"),
                max_lines=1,
                min_width=160,
                elem_id=f"data-hub-{part}",
            )
            for part in ("subset", "split", "revision")
        )
        fetch = gr.Button(t("adding.fetch"), variant="primary", elem_id="data-hub-fetch", min_width=140)

    def fetched(name: str, subset: str, split: str, rows: Any, revision: str) -> dict[str, Any]:
        if rows is not None and not isinstance(rows, int | float):
            raise BadInput("adding.bad_request")
        job = adding.fetch(
            studio,
            str(name or ""),
            subset=str(subset or ""),
            split=str(split or ""),
            rows=int(rows) or None if rows else None,
            revision=str(revision or ""),
        )
        ensure_engine(studio)
        return {"job": job.id}

    fields = [name, subset, split, rows, revision]
    gr.on([fetch.click, name.submit], safely(fetched), fields, [running], trigger_mode="once", **ASKED)
