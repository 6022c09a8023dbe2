"""Where prompts come from: a dataset, pasted text or the chats; part of the forms that have them answered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import gradio as gr
from gradio.components import Component

from app.access import STAFF, only
from app.i18n import t
from app.parts.events import LIGHT
from app.parts.handlers import Updates, safely
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.chat import chat_labels
from studio_core.curation.asking import PROMPTED
from studio_core.data import versions
from studio_core.data.shapes import Shape
from studio_core.labeling import making
from studio_core.labeling.making import NewPrompt

ORIGINS = ("dataset", "text", "chats")
FIRST = "sums-prompts"
"""The dataset that is offered first to whoever has none of their own."""


@dataclass(frozen=True)
class PromptFields:
    group: gr.Group
    dataset: gr.Dropdown
    components: list[Component]
    """Their values are what ``prompts`` takes, in this order."""


def draw(prefix: str, origins: Sequence[str] = ORIGINS) -> PromptFields:
    """The fields; ids begin with ``<prefix>-``."""
    with gr.Group(elem_id=f"{prefix}-prompts") as group:
        origin = gr.Radio(
            [(t(f"labeling.making_from_{name}"), name) for name in origins],
            value=origins[0],
            label=t("labeling.making_from"),
            elem_id=f"{prefix}-origin",
        )
        with gr.Row(elem_classes="ts-option-row"):
            dataset = gr.Dropdown(
                [],
                label=t("labeling.making_dataset"),
                visible=origins[0] == "dataset",
                min_width=260,
                elem_id=f"{prefix}-dataset",
            )
            pasted = gr.Textbox(
                label=t("labeling.making_text"),
                info=t("labeling.making_text_help"),
                lines=6,
                visible=False,
                elem_id=f"{prefix}-text",
            )
            limit = gr.Number(
                200,
                label=t("labeling.making_limit"),
                info=t("labeling.making_limit_help"),
                precision=0,
                minimum=1,
                maximum=100_000,
                min_width=220,
                elem_id=f"{prefix}-limit",
            )

    @only(STAFF)
    def origin_chosen(origin: str) -> Updates:
        return {
            dataset: gr.update(visible=origin == "dataset"),
            pasted: gr.update(visible=origin == "text"),
        }

    origin.change(safely(origin_chosen), origin, [dataset, pasted], **LIGHT)
    return PromptFields(group, dataset, [origin, dataset, pasted, limit])


def offered(studio: Studio, asked: str = "") -> gr.Dropdown:
    """The datasets that ask something; chosen is the one ``asked`` for, if it is one of them."""
    asking = [
        f"{dataset.name}@{dataset.version}"
        for dataset in versions.offered(studio)
        if Shape(dataset.shape) in PROMPTED
    ]
    first = next((name for name in asking if name.startswith(f"{FIRST}@")), None)
    chosen = asked if asked in asking else first or next(iter(asking), None)
    return gr.Dropdown(choices=asking, value=chosen)


def prompts(
    studio: Studio, origin: str, dataset: str | None, pasted: str, limit: Any
) -> tuple[Iterable[NewPrompt], Dataset | None]:
    """The prompts that the fields name, and the dataset if they come from one."""
    most = max(1, int(limit or 1))
    if origin == "text":
        return islice(making.prompts_of_text(str(pasted or "")), most), None
    if origin == "chats":
        return islice(chat_labels.prompts_of_chats(studio), most), None
    if not dataset:
        raise BadInput("labeling.making_no_dataset")
    source = versions.get(studio, dataset)
    return making.prompts_of_dataset(studio, source, limit=most), source
