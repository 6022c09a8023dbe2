from __future__ import annotations

import asyncio
from typing import Any, Literal

import gradio as gr
import pytest
from gradio.routes import App
from pydantic import BaseModel

from app import i18n
from app.parts.options_form import OptionsForm, component_of, options_form, plain
from studio_core import texts
from studio_core.errors import BadInput
from studio_core.methods import METHODS
from studio_core.methods.base import field_of, fields, option, validated


@pytest.fixture(params=sorted(METHODS))
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> OptionsForm:
    # A page on its own would bring a whole web application with it.
    monkeypatch.setattr(App, "create_app", staticmethod(lambda *args, **given: None))

    async def drawn() -> OptionsForm:
        with gr.Blocks():
            return options_form(METHODS[request.param], visible=True, prefix="opt")

    return asyncio.run(drawn())  # Outside of a running loop Gradio makes one that nobody closes.


def test_every_option_has_a_component_with_its_range(form: OptionsForm) -> None:
    assert [field.name for field in form.fields] == [field.name for field in fields(form.method)]
    for field, component in zip(form.fields, form.components, strict=True):
        assert component.elem_id == f"opt-{field.name}"
        if field.minimum is not None:
            for language in texts.LANGUAGES:
                said = i18n.catalogue(language)[component.info.key]
                assert said.startswith(texts.text(field.help_key, language)) and said.endswith("]")


def test_values_that_go_in_come_out(form: OptionsForm) -> None:
    options = validated(form.method, "balanced", "lora", 2_000_000).model_dump()
    updates = form.shown(options, "lora")
    assert all(update["visible"] for update in updates)
    # What a number field sends is a float or an int, as it pleases.
    sent = [float(u["value"]) if type(u["value"]) is int else u["value"] for u in updates]
    assert form.values(sent) == options
    assert validated(form.method, "balanced", "lora", 2_000_000, form.values(sent)).model_dump() == options


def test_what_has_no_effect_is_hidden_and_what_is_empty_is_absent(form: OptionsForm) -> None:
    shown = dict(zip([field.name for field in form.fields], form.shown({}, "full"), strict=True))
    assert not shown["lora_rank"]["visible"] and shown["learning_rate"]["visible"]
    assert form.values([None] * len(form.fields)) == {}


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
    known = [
        field_of("x", "methods.option.epochs", name, info) for name, info in Everything.model_fields.items()
    ]
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
