"""Events that cost little: no queue, no spinner, not in the list of interfaces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from gradio.context import Context

from app.parts.handlers import safely

LIGHT: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
"""Arguments of an event that answers at once. It cannot refuse: Gradio shows notices of queued events only."""

ASKED: dict[str, Any] = {**LIGHT, "queue": True}
"""Arguments of an event that does what a person asked for, or says in a notice why it does not."""


def on_open(fn: Callable[..., Any], outputs: Any, inputs: Sequence[Any] | None = None) -> Any:
    """Run ``fn`` when the page that is being built is opened; returns the event, for what comes ``then``."""
    page = Context.root_block
    if page is None:
        raise RuntimeError("on_open is called while a page is being built")
    return page.load(safely(fn), inputs, outputs, **LIGHT)


def every(
    seconds: float, fn: Callable[..., Any], outputs: Any, inputs: Sequence[Any] | None = None
) -> gr.Timer:
    """Run ``fn`` again and again while the page is in front."""
    timer = gr.Timer(seconds)
    timer.tick(safely(fn), inputs, outputs, **LIGHT)
    return timer
