"""What the document says of Gradio's files is so."""

from __future__ import annotations

import gradio as gr
import pytest

from app import gradio_assets
from app.gradio_assets import FRONTEND


def test_gradios_document_names_what_ours_starts() -> None:
    entry = gradio_assets.entry()
    assert (FRONTEND / entry.script).is_file() and (FRONTEND / entry.style).is_file()


@pytest.mark.parametrize(
    "component", [gr.HTML, gr.Textbox, gr.Dropdown, gr.Number, gr.Radio, gr.Tabs, gr.Accordion, gr.Dataframe]
)
def test_the_sheets_of_a_component_are_known(component: type[gr.blocks.Block]) -> None:
    kind = component().get_block_name()
    sheets = gradio_assets.styles([kind])
    assert set(sheets) > set(gradio_assets.styles([])), kind
    assert all((FRONTEND / sheet).is_file() for sheet in sheets)


def test_a_sheet_is_named_once() -> None:
    sheets = gradio_assets.styles(["number", "textbox", "number", "of no kind"])
    assert len({*sheets, gradio_assets.entry().style}) == len(sheets) + 1
