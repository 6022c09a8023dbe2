from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, Literal

import gradio as gr
import pytest
from gradio.routes import App
from pydantic import BaseModel

from app.parts.options_form import component_of, plain
from studio_core.base.errors import BadInput
from studio_core.options import fields, option


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
