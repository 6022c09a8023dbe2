from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, Literal

import gradio as gr
import pytest
from gradio.routes import App
from pydantic import BaseModel

from app import i18n
from app.pages.train import Before
from app.parts.options_form import OptionsForm, component_of, options_form, plain
from studio_core import texts
from studio_core.base.errors import BadInput
from studio_core.methods import METHODS
from studio_core.methods.base import PRESETS, validated
from studio_core.options import fields, option
from studio_core.tunings import TUNINGS


@pytest.fixture
def form(monkeypatch: pytest.MonkeyPatch) -> OptionsForm:
    # A page on its own would bring a whole web application with it.
    monkeypatch.setattr(App, "create_app", staticmethod(lambda *args, **given: None))

    async def drawn() -> OptionsForm:
        with gr.Blocks():
            return options_form(METHODS, TUNINGS, shown="sft", prefix="opt")

    return asyncio.run(drawn())  # Outside of a running loop Gradio makes one that nobody closes.


methods = pytest.mark.parametrize("method", sorted(METHODS))


@methods
def test_every_option_has_a_component_with_its_range(form: OptionsForm, method: str) -> None:
    known = form.fields[method]
    assert {field.name: field for field in known.values()} == {
        field.name: field for field in [*METHODS[method].fields, *TUNINGS["lora"].fields]
    }
    for place, field in known.items():
        component: Any = form.components[place]
        assert component.elem_id == f"opt-{field.name}"
        if field.minimum is not None:
            for language in texts.LANGUAGES:
                said = i18n.catalogue(language)[component.info.key]
                assert said.startswith(texts.text(field.help_key, language)) and said.endswith("]")


def test_what_methods_have_alike_is_there_once(form: OptionsForm) -> None:
    [rate] = {
        place for known in form.fields.values() for place, one in known.items() if one.name == "learning_rate"
    }
    betas = {place for known in form.fields.values() for place, one in known.items() if one.name == "beta"}
    assert len(betas) == 2, "what beta does is another thing in DPO than in KTO"
    assert form.components[rate].visible and not any(form.components[place].visible for place in betas)
    assert len(form.components) < sum(len(known) for known in form.fields.values()) / 2


@methods
def test_values_that_go_in_come_out(form: OptionsForm, method: str) -> None:
    options = validated(METHODS[method], "balanced", "lora", 2_000_000).model_dump()
    updates = form.shown(method, options, "lora")
    assert {place for place, update in enumerate(updates) if update["visible"]} == form.fields[method].keys()
    # What a number field sends is a float or an int, as it pleases.
    held = [update.get("value") for update in updates]
    sent = [float(value) if type(value) is int else value for value in held]
    assert form.values(method, sent) == options
    again = form.values(method, sent)
    assert validated(METHODS[method], "balanced", "lora", 2_000_000, again).model_dump() == options


@methods
def test_what_has_no_effect_is_hidden_and_what_is_empty_is_absent(form: OptionsForm, method: str) -> None:
    updates = form.shown(method, {}, "full")
    shown = {field.name: updates[place] for place, field in form.fields[method].items()}
    assert not shown["lora_rank"]["visible"] and shown["learning_rate"]["visible"]
    assert form.values(method, [None] * len(form.components)) == {}


def test_of_a_tuning_that_is_not_known_only_the_methods_options_have_an_effect(form: OptionsForm) -> None:
    assert form.has_effect("learning_rate", "gone") and not form.has_effect("lora_rank", "gone")
    assert len(form.shown("sft", {}, "")) == len(form.components)


def begin(form: OptionsForm, method: str, preset: str = "balanced") -> dict[str, Any]:
    """What the fields begin with under full tuning."""
    return {**form.of_tunings, **validated(METHODS[method], preset, "full", 2_000_000).model_dump()}


def held(form: OptionsForm, method: str, values: dict[str, Any]) -> list[Any]:
    """What the fields hold once they are filled in."""
    return [update.get("value") for update in form.shown(method, values, "full")]


def test_what_was_changed_stays_unless_the_choice_is_about_it(form: OptionsForm) -> None:
    quick, balanced = (begin(form, "sft", preset) for preset in PRESETS[:2])
    assert quick["epochs"] != balanced["epochs"] and quick["max_length"] == balanced["max_length"]
    typed = held(form, "sft", {**balanced, "epochs": 7, "max_length": 99})
    after = Before("sft", balanced).after(form, typed, "sft", quick)
    assert after.changed["sft"] == {"max_length": 99}


def test_a_method_that_is_chosen_again_has_what_was_put_there(form: OptionsForm) -> None:
    sft, dpo = (begin(form, name) for name in ("sft", "dpo"))
    assert sft["learning_rate"] != dpo["learning_rate"] and sft["max_length"] == dpo["max_length"]
    typed = held(form, "sft", {**sft, "learning_rate": 0.5, "max_length": 99})
    there = Before("sft", sft).after(form, typed, "dpo", dpo)
    assert there.changed["dpo"] == {"max_length": 99}, "the rate of another method is no rate of this one"
    back = there.after(form, held(form, "dpo", {**dpo, "beta": 0.3, **there.changed["dpo"]}), "sft", sft)
    assert back.changed["sft"] == {"learning_rate": 0.5, "max_length": 99}
    assert back.changed["dpo"] == {"beta": 0.3, "max_length": 99}


def test_options_of_one_name_that_differ_are_not_carried_over(form: OptionsForm) -> None:
    dpo, kto = (begin(form, name) for name in ("dpo", "kto"))
    assert (dpo["beta"], dpo["batch_size"]) == (kto["beta"], kto["batch_size"])
    typed = held(form, "dpo", {**dpo, "beta": 0.3, "batch_size": 1, "max_length": 99})
    assert Before("dpo", dpo).after(form, typed, "kto", kto).changed["kto"] == {"max_length": 99}


class Everything(BaseModel):
    """One option of each kind that the methods do not have."""

    instruction: str = option("be brief", kind="prompt")
    model: str = option("", choices_of="models")
    kinds: list[Literal["a", "b"]] = option([])
    languages: list[str] = option([], choices_of="languages")
    weights: list[float] = option([])
    changes: list[dict[str, Any]] = option([])


def test_every_kind_of_option_has_a_component_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(App, "create_app", staticmethod(lambda *args, **given: None))
    known = [replace(field, title_key="options.epochs") for field in fields(Everything, ["options"])]
    assert [field.kind for field in known] == ["prompt", "text", "choices", "choices", "numbers", "json"]

    async def drawn() -> list[gr.components.Component]:
        with gr.Blocks():
            return [component_of(field, field.name) for field in known]

    components = asyncio.run(drawn())
    assert [type(one).__name__ for one in components] == [
        "Textbox",
        *["Dropdown"] * 3,
        *["Textbox"] * 2,
    ]
    assert plain(known[4], "0.5, 2  1") == [0.5, 2, 1]
    assert plain(known[5], '[{"row": 1, "record": null}]') == [{"row": 1, "record": None}]
    for field, value in ((known[4], "two"), (known[5], "{")):
        with pytest.raises(BadInput, match=field.name):
            plain(field, value)
