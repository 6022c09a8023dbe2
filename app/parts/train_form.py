"""The fields of the Train page that all methods share."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.i18n import t
from app.parts import own_code, train_data
from app.parts.html import panel
from studio_core import methods, texts
from studio_core.base.studio import Studio
from studio_core.methods import METHODS
from studio_core.methods.base import PRESETS
from studio_core.runs import queue
from studio_core.training import several_gpus
from studio_core.tunings import DEFAULT, TUNINGS

DEVICES = ("auto", "cpu", "gpu")
NAMES = (
    "method", "tuning", "model", "dataset", "preset", "prompts", "name", "seed", "device", "priority",
    "time_limit", "gpus", "parallel",
)  # fmt: skip
"""Of all fields, in the order in which the page's events get them."""


def tuning_help(method: str, tuning: str) -> str:
    """The key of what a way of tuning is, for the method where that says something of its own."""
    own = f"methods.{method}.tuning_{tuning}.help"
    return (
        own
        if own in texts.catalogue(texts.DEFAULT_LANGUAGE)
        else TUNINGS.get(tuning, TUNINGS[DEFAULT]).help_key
    )


def basics(studio: Studio) -> tuple[dict[str, Any], dict[str, Any]]:
    parts: dict[str, Any] = {}
    parts["method"] = gr.Radio(
        [(t(method.title_key), name) for name, method in METHODS.items()],
        value=methods.DEFAULT,
        label=t("train.method"),
        info=t(METHODS[methods.DEFAULT].help_key),
        elem_id="train-method",
    )
    with gr.Row():
        parts["dataset"] = gr.Dropdown(
            [], label=t("train.dataset"), info=t("train.dataset_help"), elem_id="train-dataset", value=None
        )
        parts["model"] = gr.Dropdown(
            [], label=t("train.model"), info=t("train.model_help"), elem_id="train-model", value=None
        )
    adding: dict[str, Any] = {"unfit": panel("train-unfit", js_on_load=train_data.CONVERT)}
    with gr.Accordion(t("train.other_model"), open=False, elem_id="train-other-model"):
        with gr.Row(equal_height=True):
            adding["source"] = gr.Textbox(
                label=t("train.source"),
                info=t("train.source_help"),
                placeholder="Qwen/Qwen3-0.6B",
                elem_id="train-source",
                max_length=1000,
                scale=4,
            )
            adding["add"] = gr.Button(t("train.add"), elem_id="train-add-model", scale=1, min_width=90)
        adding["trust"] = gr.Checkbox(
            label=t("train.trust"), info=t("train.trust_help"), elem_id="train-trust", container=False
        )
        adding["password"] = own_code.fields(studio, adding["trust"], "train-trust-password")
    with gr.Row():
        parts["tuning"] = gr.Radio(
            [(t(tuning.title_key), name) for name, tuning in TUNINGS.items()],
            value=DEFAULT,
            label=t("train.tuning"),
            info=t(TUNINGS[DEFAULT].help_key),
            elem_id="train-tuning",
        )
        parts["preset"] = gr.Radio(
            [(t(f"methods.preset.{name}"), name) for name in PRESETS],
            value="balanced",
            label=t("train.preset"),
            info=t("methods.preset.balanced.help"),
            elem_id="train-preset",
        )
    return parts, adding


def rest() -> dict[str, Any]:
    parts: dict[str, Any] = {}
    parts["name"] = gr.Textbox(
        label=t("train.name"), info=t("train.name_help"), elem_id="train-name", max_length=80
    )
    with gr.Accordion(t("train.more"), open=False, elem_id="train-more"):
        parts["prompts"] = gr.Textbox(
            label=t("train.prompts"),
            info=t("train.prompts_help"),
            lines=4,
            max_length=8000,
            elem_id="train-prompts",
        )
        with gr.Row():
            parts["seed"] = gr.Number(
                value=0, precision=0, label=t("train.seed"), info=t("train.seed_help"), elem_id="train-seed"
            )
            parts["device"] = gr.Radio(
                [(t(f"train.device_{name}"), name) for name in DEVICES],
                value="auto",
                label=t("train.device"),
                info=t("train.device_help"),
                elem_id="train-device",
            )
        with gr.Row():
            parts["priority"] = gr.Slider(
                -queue.HIGHEST_PRIORITY, queue.HIGHEST_PRIORITY, 0, step=1, label=t("train.priority"),
                info=t("train.priority_help"), elem_id="train-priority",
            )  # fmt: skip
            parts["time_limit"] = gr.Number(
                value=None, minimum=0, label=t("train.time_limit"), info=t("train.time_limit_help"),
                elem_id="train-time-limit",
            )  # fmt: skip
        with gr.Row():
            parts["gpus"] = gr.Number(
                value=1, precision=0, minimum=1, label=t("train.gpus"), info=t("train.gpus_help"),
                elem_id="train-gpus", visible=False,
            )  # fmt: skip
            parts["parallel"] = gr.Radio(
                list(several_gpus.PARALLEL), value="ddp", label=t("train.parallel"),
                info=t("train.parallel_help"), elem_id="train-parallel", visible=False,
            )  # fmt: skip
    return parts
