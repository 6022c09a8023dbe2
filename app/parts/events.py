"""Events that cost little: no queue, no spinner, not in the list of interfaces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import gradio as gr
from gradio.context import Context

from app import opening
from app.parts.handlers import safely

LIGHT: dict[str, Any] = {
    "queue": False,
    "show_progress": "hidden",
    "show_progress_on": [],
    "api_visibility": "private",
}
"""Arguments of an event that answers at once. It cannot refuse: Gradio shows notices of queued events only.

Nothing shows its progress, also not hidden: Gradio's script would note it on each output by searching the whole page,
for all outputs that ever had any, which was more than half of what opening a page took.
"""

ASKED: dict[str, Any] = {**LIGHT, "queue": True}
"""Arguments of an event that does what a person asked for, or says in a notice why it does not."""


GO = "(address) => { if (/^\\/[a-z]+(\\?|$)/.test(address ?? '')) window.location.assign(address); }"
"""Script of an event that leads to the page whose address it is given; nowhere, if it is empty."""


def typed(components: Iterable[Any]) -> list[Any]:
    """The events of a person changing one of the fields; not those of the page filling them in.

    Several fields that a page fills in at once would each send all of them, some as they were before. Not every
    change is an "input" to Gradio: a text box hears no paste and no deletion, a slider no reset, a check box no Enter.
    """
    heard: list[Any] = []
    for component in components:
        if isinstance(component, gr.Textbox):
            heard.append(component.change)
            continue
        heard.append(component.input)
        if isinstance(component, gr.Slider):
            heard.append(component.release)
        if isinstance(component, gr.Checkbox):
            heard.append(component.select)
    return heard


def on_open(fn: Callable[..., Any], outputs: Any, inputs: Sequence[Any] | None = None) -> Any:
    """Run ``fn`` when the page that is being built is opened; returns the event, for what comes ``then``."""
    page = Context.root_block
    if page is None:
        raise RuntimeError("on_open is called while a page is being built")
    all_inputs = [*(inputs or []), opening.place(page)]
    return page.load(opening.opens(safely(fn)), all_inputs, outputs, **LIGHT)


def every(
    seconds: float, fn: Callable[..., Any], outputs: Any, inputs: Sequence[Any] | None = None
) -> gr.Timer:
    """Run ``fn`` again and again while the page is in front."""
    timer = gr.Timer(seconds)
    timer.tick(safely(fn), inputs, outputs, **LIGHT)
    return timer
