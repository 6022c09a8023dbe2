"""What a page shows when it is opened is in its document already: nothing is blank, and nothing is drawn twice.

Gradio draws a page with the values it was built with, then asks the server what it is to show. So a reader
sees an empty form first, and each of its components is drawn a second time, which took most of the time that
a browser needed to open a page. Here the handlers of ``on_open`` are run while the document is made, and what
they give is put among the values that the page begins with. The browser still asks, since what only the
server knows of a page (``gr.State``, choices by which it checks answers) comes into being then; of what it
shows already nothing is sent again.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import inspect
import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable
from copy import copy, deepcopy
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import gradio as gr
import orjson
from anyio import from_thread, to_thread
from gradio import utils
from gradio.blocks import Blocks
from gradio.context import LocalContext
from gradio.helpers import special_args
from gradio.routes import ORJSONResponse
from gradio.state_holder import SessionState
from starlette.requests import Request

from app.access import EVERYONE, current_user
from app.i18n import language_of, translated

log = logging.getLogger("tunesmith.web")

_KEPT = 500
"""Documents that are remembered until their pages ask: each is a few thousand bytes."""
_NOTHING = {"__type__": "update"}
_documents: OrderedDict[str, dict[int, list[str]]] = OrderedDict()
_lock = Lock()


@dataclass(frozen=True)
class Answer:
    """What a handler of ``on_open`` gives, and which document asks."""

    value: Any
    document: str


def place(page: Blocks) -> gr.Textbox:
    """The hidden field of the page that is being built, by which it says which document it was in."""
    known: dict[str, gr.Textbox] = vars(page).setdefault("tunesmith_documents", {})
    name = str(getattr(page, "current_page", ""))
    if name not in known:
        known[name] = gr.Textbox(visible=False)
        # Gradio's script runs this once all components of the page are there.
        page.load(None, js="() => { window.tunesmith.mounted(); }", api_visibility="private")  # type: ignore[attr-defined]
    return known[name]


def opens(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A handler of ``on_open`` as Gradio gets it: it takes the field of ``place`` behind its own inputs."""

    @functools.wraps(fn)
    def opened(*given: Any) -> Answer:
        *own, document = given
        return Answer(fn(*own), str(document))

    signature = inspect.signature(fn)
    field = inspect.Parameter("document", inspect.Parameter.POSITIONAL_OR_KEYWORD, default="")
    opened.__signature__ = signature.replace(parameters=[*signature.parameters.values(), field])  # type: ignore[attr-defined]
    opened.opens = True  # type: ignore[attr-defined]
    return opened


def install() -> None:
    """Have Gradio leave out of an answer what the document that asks has shown already."""
    original = Blocks.postprocess_data
    if hasattr(original, "leaves_out"):
        return

    @functools.wraps(original)
    async def postprocess_data(self: Blocks, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        if not isinstance(predictions, Answer):
            return await original(self, block_fn, predictions, state)
        with _lock:
            shown = _documents.get(predictions.document, {}).get(block_fn._id)
        offers = _offers(state)
        if (
            block_fn._id in offers.early and shown is not None
        ):  # Events came first, and what they changed stays.
            offers.early.discard(block_fn._id)
            return [_NOTHING] * len(shown)
        data = await original(self, block_fn, predictions.value, state)
        offers.known.add(block_fn._id)
        if shown is None:
            return data
        return [_NOTHING if _mark(value) == mark else value for value, mark in zip(data, shown, strict=True)]

    postprocess_data.leaves_out = True  # type: ignore[attr-defined]
    Blocks.postprocess_data = postprocess_data  # type: ignore[method-assign]
    Blocks.process_api = _for_the_reader(Blocks.process_api)  # type: ignore[method-assign]


def _for_the_reader(original: Callable[..., Any]) -> Callable[..., Any]:
    """Events after what the page offers is known; answers, and refusals, in the language of who asks.

    Documents do not carry all texts, so that labels have to come in words.
    """

    @functools.wraps(original)
    async def process_api(
        self: Blocks, block_fn: Any, inputs: Any, state: Any = None, request: Any = None, **named: Any
    ) -> dict[str, Any]:
        LocalContext.request.set(request)  # Gradio does it later, when the inputs may be refused already.
        await _offer(self, block_fn, state, request)
        answer: dict[str, Any] = await original(
            self, block_fn=block_fn, inputs=inputs, state=state, request=request, **named
        )
        return {**answer, "data": translated(answer["data"], language_of(request))}

    return process_api


async def _offer(page: Blocks, block_fn: Any, state: Any, asking: Any) -> None:
    """Before an event: what the page that sends it offers, where the server does not know that yet, or no more.

    A document has shown its choices before the page has asked for them, and an open page outlives a server. Gradio
    takes a choice only if it has offered it in this very session.
    """
    wanted = {block._id for block in block_fn.inputs if hasattr(block, "choices")}
    if not wanted or getattr(block_fn.fn, "opens", False):
        return
    offers = _offers(state)
    async with offers.one_by_one:
        for opening in list(page.fns.values()):
            mine = opening.page == block_fn.page and getattr(opening.fn, "opens", False)
            offering = mine and wanted & {block._id for block in opening.outputs}
            if offering and opening._id not in offers.known and _may(opening.fn, asking):
                given = await to_thread.run_sync(_given, page, opening, asking, state)
                await page.postprocess_data(opening, given, state)
                offers.known.add(opening._id)
                offers.early.add(opening._id)


@dataclass
class _Offers:
    """Of a session: the handlers of ``on_open`` whose answers it has had."""

    known: set[int] = field(default_factory=set)
    early: set[int] = field(default_factory=set)
    """Those that an event had to wait for, as the page had not asked yet."""
    one_by_one: asyncio.Lock = field(default_factory=asyncio.Lock)


def _offers(state: Any) -> _Offers:
    known: _Offers = vars(state).setdefault("tunesmith_offers", _Offers())
    return known


def _mark(value: Any) -> str:
    """The same for what a browser would show alike. None, which is what Gradio sends of a ``gr.State``, has none."""
    return hashlib.sha256(ORJSONResponse._render(value)).hexdigest() if value is not None else ""


def fill(page: Blocks, config: dict[str, Any], request: Request, document: str | None = None) -> str:
    """Put what the page's handlers give for this request among the values that ``config`` begins with.

    Returns the name of the document that shows them: a new one, or ``document``, of which ``config`` is a part.
    """
    components = {component["id"]: component for component in config["components"]}
    shown: dict[int, list[str]] = {}
    state = _Nobody(page)
    for dependency in config["dependencies"]:
        block_fn = page.fns[dependency["id"]]
        if not getattr(block_fn.fn, "opens", False) or not _may(block_fn.fn, request):
            continue
        try:
            data = _answer(page, block_fn, request, state)
        except Exception:  # Whatever it is, the page will ask, and tell the reader then.
            log.warning("%s: nothing for the document", block_fn.name, exc_info=True)
            continue
        for block, value in zip(block_fn.outputs, data, strict=True):
            if block._id in components and value is not None:
                _put(components[block._id]["props"], value)
        shown[block_fn._id] = [_mark(value) for value in data]
    with _lock:
        if document is None:
            document = secrets.token_urlsafe(12)
            field = vars(page)["tunesmith_documents"][config["current_page"]]
            components[field._id]["props"]["value"] = document
            _documents[document] = {}
        # A part of a document that is forgotten, or that somebody made up, is sent again when it is asked for.
        _documents.get(document, {}).update(shown)
        while len(_documents) > _KEPT:
            _documents.popitem(last=False)
    return document


class _Nobody(SessionState):
    """The state of a session that nobody has: without a description of every component, which takes longest."""

    def __init__(self, page: Blocks) -> None:
        self.blocks_config = copy(page.default_config)
        self.config_values: dict[int, Any] = {}
        self.state_data: dict[int, Any] = {}

    def __setitem__(self, key: int, value: Any) -> None:
        block = self.blocks_config.blocks.get(key)
        if block is not None and block.stateful:
            self.state_data[key] = value
        else:
            self.blocks_config.blocks[key] = value

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: Any) -> None:
        pass


def _may(fn: Any, request: Request) -> bool:
    return current_user(request).role in getattr(fn, "roles", EVERYONE)


def _answer(page: Blocks, block_fn: Any, request: Request, state: _Nobody) -> list[Any]:
    """What the page would be sent."""
    given = _given(page, block_fn, gr.Request(request=request), state)
    data: list[Any] = from_thread.run(page.postprocess_data, block_fn, given, state)
    return data


def _given(page: Blocks, block_fn: Any, asking: gr.Request, state: Any) -> Any:
    """What the handler gives when the page is opened."""
    inputs = [deepcopy(getattr(block, "value", None)) for block in block_fn.inputs]
    arguments, *_ = special_args(block_fn.fn, inputs, asking)
    fn = utils.get_function_with_locals(block_fn.fn, page, None, True, asking, state)
    return fn(*arguments).value


def _put(props: dict[str, Any], value: Any) -> None:
    value = orjson.loads(ORJSONResponse._render(value))  # As it would have come over the wire.
    if isinstance(value, dict) and value.get("__type__") == "update":
        props.update({name: new for name, new in value.items() if name != "__type__"})
    else:
        props["value"] = value
