"""What stands in a tab comes to the page when the tab is opened; until then it costs the page nothing.

Gradio's script builds and searches all components of a page, also those of tabs that nobody looks at: with 500 of
them a page took seconds. So the document has the components and events of the open tab only (``fill``), and the
first time that another tab is chosen, its part of the configuration is sent as what ``gr.render`` would have made.
The blocks stay those that were built when the studio started: to the server nothing is new.

The address of the page says which tab is open, so that a tab's handlers of ``on_open`` see themselves asked for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import gradio as gr
from anyio import to_thread
from gradio.blocks import Blocks
from gradio.context import Context
from starlette.requests import Request

from app import opening
from app.access import EVERYONE, only
from app.i18n import language_of, translated
from app.parts.events import LIGHT
from studio_core.people.accounts import Role

Config = dict[str, Any]


def when_opened(tabs: gr.Tabs, parameter: str, roles: Mapping[str, frozenset[Role]] | None = None) -> None:
    """Mount each of ``tabs``, which are built, when it is opened. ``parameter`` of the address names the open one.

    ``roles`` says of a tab, by its id, for whom it is, where that is fewer people than the page is for.
    """
    page = Context.root_block
    if page is None:
        raise RuntimeError("when_opened is called while a page is being built")
    there = gr.Textbox(visible=False)
    vars(page).setdefault("tunesmith_tabs", []).append(tabs)
    for tab in tabs.children:
        assert isinstance(tab, gr.Tab)
        chosen = f"(known) => window.tunesmith.opened({parameter!r}, {tab.id!r}, {tab.elem_id!r}, known)"
        fewer = (roles or {}).get(str(tab.id), EVERYONE)
        tab.select(_mounting(tab, fewer), [opening.place(page), there], None, js=chosen, **LIGHT)


def _mounting(tab: gr.Tab, roles: frozenset[Role]) -> Callable[[str, str], None]:
    @only(roles)
    def open_tab(document: str, there: str) -> None:
        """Nothing of its own: what it answers with is put there by ``install``."""

    open_tab.__name__ = f"open_tab_{tab.id}"
    open_tab.mounts = tab  # type: ignore[attr-defined]
    return open_tab


def install() -> None:
    """Have Gradio send a tab's part of the page with the answer to its being opened."""
    original = Blocks.process_api
    if hasattr(original, "mounts"):
        return

    @functools.wraps(original)
    async def process_api(self: Blocks, block_fn: Any, inputs: Any, *given: Any, **named: Any) -> Config:
        answer = await original(self, block_fn, inputs, *given, **named)
        tab = getattr(getattr(block_fn, "fn", None), "mounts", None)
        document, there = inputs if tab else ("", "")  # As many as the event has, or Gradio had refused them.
        if tab and not there:
            request = named["request"]
            asked = getattr(request, "request", None) or request
            part = await to_thread.run_sync(_part, self, tab, str(document), asked)
            answer = {**answer, "render_config": part}
        return answer

    process_api.mounts = True  # type: ignore[attr-defined]
    Blocks.process_api = process_api  # type: ignore[method-assign]


def fill(page: Blocks, config: Config, request: Request) -> None:
    """``opening.fill`` for a document that has, of each group of tabs, only what stands in the open one."""
    inside = _inside(page, config)
    if not inside:
        opening.fill(page, config, request)
        return
    owners = {one["id"]: _owner(one, inside) for one in config["dependencies"]}
    everything = config["dependencies"]
    config["dependencies"] = [one for one in everything if owners[one["id"]] is None]
    document = opening.fill(page, config, request)
    chosen = _chosen(page, config)
    absent = set().union(*(ids for tab, ids in inside.items() if tab not in chosen))
    config["components"] = [one for one in config["components"] if one["id"] not in absent]
    for node in _nodes(config["layout"]):
        if node["id"] in inside and node["id"] not in chosen:
            node["children"] = []
    config["dependencies"] = [one for one in everything if owners[one["id"]] in chosen]
    opening.fill(page, config, request, document)
    config["dependencies"] = [one for one in everything if owners[one["id"]] in {None, *chosen}]
    _say_what_can_be_changed(config["components"], everything)


def _part(page: Blocks, tab: gr.Tab, document: str, request: Request) -> Config:
    """What stands in ``tab``: its components with what they show, its layout, its events."""
    source: Any = page.config
    name = str(tab.page)
    layout = deepcopy(next(node for node in _nodes(source["page"][name]["layout"]) if node["id"] == tab._id))
    ids = {node["id"] for node in _nodes(layout)}
    of_page = set(source["page"][name]["dependencies"])
    everything = [one for one in source["dependencies"] if one["id"] in of_page]

    def belongs(one: Config) -> bool:
        # Gradio's script forgets what else hears that the tab is chosen; the address is to follow each time.
        mounts = getattr(page.fns[one["id"]].fn, "mounts", None)
        return mounts is tab or bool(_touches(one) & (ids - {tab._id}))

    part = {
        "components": deepcopy([one for one in source["components"] if one["id"] in ids]),
        "dependencies": deepcopy([one for one in everything if belongs(one)]),
        "current_page": name,
    }
    opening.fill(page, part, request, document)
    # Which tabs a reader sees was said when the page was opened, and this is one of them.
    next(one for one in part["components"] if one["id"] == tab._id)["props"]["visible"] = True
    _say_what_can_be_changed(part["components"], everything)
    return {
        "components": translated(part["components"], language_of(request)),
        "dependencies": part["dependencies"],
        "layout": layout,
        "render_id": tab._id,
    }


def _inside(page: Blocks, config: Config) -> dict[int, set[int]]:
    """The components within each tab of this page that is mounted when it is opened."""
    tabs = {tab._id for one in vars(page).get("tunesmith_tabs", ()) for tab in one.children}
    return {
        node["id"]: {child["id"] for child in _nodes(node)} - {node["id"]}
        for node in _nodes(config["layout"])
        if node["id"] in tabs
    }


def _owner(dependency: Config, inside: dict[int, set[int]]) -> int | None:
    """The tab to which an event belongs; None if to the page."""
    touches = _touches(dependency)
    return next((tab for tab, ids in inside.items() if touches & ids), None)


def _touches(dependency: Config) -> set[int]:
    targets = {target for target, event in dependency["targets"] if event != "load"}
    return {*dependency["inputs"], *dependency["outputs"], *targets}


def _chosen(page: Blocks, config: Config) -> set[int]:
    """The tabs that are open: what their groups say now, else the first that can be seen."""
    props = {one["id"]: one["props"] for one in config["components"]}
    chosen = set()
    for tabs in vars(page).get("tunesmith_tabs", ()):
        shown = [tab for tab in tabs.children if props.get(tab._id, {}).get("visible")]
        if tabs._id in props and props[tabs._id].get("visible") and shown:
            selected = props[tabs._id].get("selected")
            chosen.add(next((tab for tab in shown if tab.id == selected), shown[0])._id)
    return chosen


def _say_what_can_be_changed(components: list[Config], dependencies: list[Config]) -> None:
    """What Gradio's script finds out from all events of a page, of which it now gets a part."""
    inputs = {one for dependency in dependencies for one in dependency["inputs"]}
    outputs = {one for dependency in dependencies for one in dependency["outputs"]}
    for component in components:
        props = component["props"]
        known = "value" in props or component["id"] in inputs | outputs
        if known and props.get("interactive") is None:
            free = component["id"] not in outputs and props.get("value") in (None, "", 0, False, [])
            props["interactive"] = component["id"] in inputs or free


def _nodes(layout: Config) -> Iterator[Config]:
    yield layout
    for child in layout.get("children", ()):
        yield from _nodes(child)
