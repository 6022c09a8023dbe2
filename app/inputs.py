"""What a page sends to a handler is refused in a sentence when a component cannot take it, without a trace.

Everybody who is signed in can send anything, so that a trace would tell of nothing but their wish to fill the log.
"""

from __future__ import annotations

import logging
from typing import Any

import gradio as gr
from gradio.context import LocalContext

from app.i18n import language_of, say

log = logging.getLogger("tunesmith.web")


def install() -> None:
    """Have Gradio refuse quietly what its components refuse."""
    gr.Blocks.preprocess_data = preprocess_data  # type: ignore[method-assign]


async def preprocess_data(self: Any, block_fn: Any, inputs: Any, *more: Any, **named: Any) -> Any:
    try:
        # Gradio would call None.
        if not block_fn.fn:
            raise LookupError("what happens there happens in the browser")
        return await _preprocess_data(self, block_fn, inputs, *more, **named)
    except gr.Error as error:
        # Refused by a component with a sentence of its own; its trace is no news.
        error.print_exception = False
        raise
    except Exception as error:
        log.warning("input of %s refused: %s: %s", block_fn.name, type(error).__name__, error)
        sentence = say("shell.refused_call", language_of(LocalContext.request.get(None)))
        raise gr.Error(sentence, print_exception=False) from None


_preprocess_data = gr.Blocks.preprocess_data
