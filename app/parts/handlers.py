"""What every event handler wears: an error becomes one sentence, never a trace."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import gradio as gr
from gradio.context import LocalContext
from markupsafe import escape

from app.access import name_of
from app.i18n import language_of, say
from studio_core.base.audit import WHO
from studio_core.base.errors import StudioError
from studio_core.base.studio import Studio

log = logging.getLogger("tunesmith.web")

Updates = dict[Any, Any]
"""What a handler changes, by component; what it does not name stays as it is."""

Handler = TypeVar("Handler", bound=Callable[..., Any])


class Handlers:
    """What a page, or a section of one, does on its events; its components stand in ``parts`` by name.

    A handler says by name what changes. By position, one component more would shift all that come after it.
    """

    def __init__(self, studio: Studio, parts: Mapping[str, Any]) -> None:
        self.studio = studio
        self.parts = parts

    def _updates(self, **named: Any) -> Updates:
        """By component what is said by its name here."""
        return {self.parts[name]: value for name, value in named.items()}


def safely(fn: Handler) -> Handler:
    """Show an error of ``fn`` as a notice in the reader's language, and leave every output as it is.

    Works for functions and generators, plain and async.
    """
    wrapper: Any
    if inspect.isasyncgenfunction(fn):

        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            _note_who()
            try:
                async for value in fn(*args, **kwargs):
                    yield value
            except Exception as error:
                yield _shown(error)

    elif inspect.isgeneratorfunction(fn):

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            _note_who()
            try:
                yield from fn(*args, **kwargs)
            except Exception as error:
                yield _shown(error)

    elif inspect.iscoroutinefunction(fn):

        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            _note_who()
            try:
                return await fn(*args, **kwargs)
            except Exception as error:
                return _shown(error)

    else:

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            _note_who()
            try:
                return fn(*args, **kwargs)
            except Exception as error:
                return _shown(error)

    return functools.wraps(fn)(wrapper)  # type: ignore[no-any-return]


def _note_who() -> None:
    """An event of the queue runs apart from the request that asked for it."""
    request = LocalContext.request.get(None)
    if request is not None:
        WHO.set(name_of(request))


def _shown(error: Exception) -> Any:
    """Tell the reader, keep the trace for the log, and skip the outputs."""
    if isinstance(error, gr.Error):  # Meant for the reader as it is.
        raise error
    language = language_of(LocalContext.request.get(None))
    # A toast shows HTML, and a sentence may quote what a file or a person said.
    gr.Warning(str(escape(sentence_of(error, language))))
    return gr.skip()


def sentence_of(error: Exception, language: str) -> str:
    """What a reader is told of an error; what was not expected goes to the log."""
    if isinstance(error, StudioError):
        return error.sentence(language)
    log.error("an event handler failed", exc_info=error)
    return say("shell.unexpected", language)
