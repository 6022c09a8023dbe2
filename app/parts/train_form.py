"""The fields of the Train page: the choosers of method and tuning, the options of both, and what all methods share."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.files import mounts
from app.i18n import say, t
from app.parts import chooser, option_inputs, own_code, reward_fields, train_data
from app.parts.chooser import Choice
from app.parts.html import html, panel
from app.parts.options_state import OptionsState, fields_of
from studio_core import texts
from studio_core.base.studio import Studio
from studio_core.methods import METHODS
from studio_core.methods.base import PRESETS
from studio_core.runs import order
from studio_core.training import several_gpus
from studio_core.tunings import DEFAULT, TUNINGS
from studio_core.tunings.base import Tuning

DEVICES = ("auto", "cpu", "gpu")
INPUTS = (
    "wish", "model", "dataset", "preset", "prompts", "name", "seed", "device", "priority", "time_limit", "gpus",
    "parallel", "retention",
)  # fmt: skip
"""What the page's events get, in this order. ``wish`` is what Gradio has no component for (``options_state.Wish``)."""


def tuning_help(method: str, tuning: str) -> str:
    """The key of what a way of tuning is; of models that score it may be something of its own."""
    way = TUNINGS.get(tuning, TUNINGS[DEFAULT])
    own = f"{way.title_key}.scorer.help"
    scores = method in METHODS and not METHODS[method].writes
    return own if scores and own in texts.catalogue(texts.DEFAULT_LANGUAGE) else way.help_key


def methods(chosen: str, language: str) -> Markup:
    """The chooser of methods; those that learn from data of one shape stand together."""
    choices = [
        Choice(
            name,
            say(method.title_key, language),
            say(method.help_key, language),
            say("train.learns_from", language, shape=say(f"data.shape_{method.shapes[0]}", language)),
        )
        for name, method in METHODS.items()
    ]
    return chooser.drawn("train-method", say("train.method", language), choices, chosen)


def tunings(method: str, chosen: str, language: str) -> Markup:
    """The chooser of ways of tuning; those that the method cannot be had with stay there and say so."""
    refused = say("train.tuning_refused", language, method=say(METHODS[method].title_key, language))
    choices = [
        Choice(
            name,
            say(tuning.title_key, language),
            " ".join([say(tuning_help(method, name), language), *_facts(tuning, language)]),
            say(f"train.tuning_family_{tuning.family}", language),
            "" if name in METHODS[method].tunings else refused,
        )
        for name, tuning in TUNINGS.items()
    ]
    return chooser.drawn("train-tuning", say("train.tuning", language), choices, chosen)


def _facts(tuning: Tuning, language: str) -> list[str]:
    """What its result cannot do that one might count on, and for which models it is too small."""
    facts = [] if tuning.merges else [say("train.tuning_unmergeable", language)]
    if tuning.adapter and not tuning.mixes:
        facts.append(say("train.tuning_unmixed", language))
    if tuning.least:
        facts.append(say("train.tuning_least", language, parameters=f"{tuning.least / 1e6:,.0f}"))
    return facts


def options(state: OptionsState, language: str, offers: option_inputs.Offers) -> Markup:
    """The form of the options of the method and the tuning of ``state``, which it keeps in ``data-form``."""
    fields = fields_of(state.method, state.tuning)
    values = {**state.begin, **state.changes}
    rewards = [field for field in fields if field.name.partition(".")[0] == "rewards"]
    others = [field for field in fields if field not in rewards]
    inputs = option_inputs.drawn(others, values, state.begin, language, "train-opt", offers)
    if rewards:
        named = option_inputs.labelled(rewards, values, state.begin, language, "train-opt", offers)
        inputs = reward_fields.drawn(named, list(named), language) + inputs
    return html('<div class="ts-options" data-form="{}">{}</div>', state.text(), inputs)


def options_panel() -> gr.HTML:
    script = f"window.tunesmith.waits({mounts('js/train.js', 'trigger')}); 'input'"
    return panel("train-options", js_on_load=script)


def basics(studio: Studio) -> tuple[dict[str, Any], dict[str, Any]]:
    parts: dict[str, Any] = {"wish": gr.Textbox(visible=False)}
    parts["method"] = chooser.chooser("train-method")
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
    parts["tuning"] = chooser.chooser("train-tuning")
    adding["comparison"] = panel("train-comparison")
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
                -order.HIGHEST_PRIORITY, order.HIGHEST_PRIORITY, 0, step=1, label=t("train.priority"),
                info=t("train.priority_help"), elem_id="train-priority",
            )  # fmt: skip
            parts["time_limit"] = gr.Number(
                value=None, minimum=0, label=t("train.time_limit"), info=t("train.time_limit_help"),
                elem_id="train-time-limit",
            )  # fmt: skip
        parts["retention"] = gr.Checkbox(
            True, label=t("train.retention"), info=t("train.retention_help"), elem_id="train-retention",
            container=False,
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
