"""A page as its reader sees it before Gradio has drawn it: the same texts and values at about the same places.

Gradio's script needs a second or more until the first word stands on the page. What will stand there is known when
the document is written (``opening.fill``), so it is drawn here, from the configuration that Gradio's script will draw.
Links work; fields and buttons do nothing yet, and say so by their look. The script takes its place in one frame once
all is mounted (``tunesmith.mounted`` of ``early.js``), so that nothing jumps.

The drawing stands in a closed shadow root: scripts, form fields and tests find each thing once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from app.parts.html import html, join

LONGEST = 40_000
"""Characters of a value that is drawn: what is longer reaches below the window, or is the data of a chart."""

Component = dict[str, Any]
Draw = Callable[[Component, Markup], Markup]


def draw_page(config: dict[str, Any]) -> Markup:
    """The components of ``config`` (as Gradio's script gets it) as HTML."""
    components = {component["id"]: component for component in config["components"]}

    def node(layout: dict[str, Any]) -> Markup:
        component = components.get(layout["id"])
        if component is None:  # The page itself.
            return join(node(child) for child in layout["children"])
        if component["props"].get("visible", True) is not True:
            return Markup()
        children = layout.get("children", [])
        if component["type"] == "tabs":
            return _tabs(component, [(components[child["id"]], child) for child in children], node)
        # What is folded is drawn when it is opened, by Gradio.
        if component["type"] == "accordion" and not component["props"].get("open", True):
            children = []
        inside = join(node(child) for child in children)
        draw = _DRAW.get(component["type"])
        return draw(component, inside) if draw else inside

    return node(config["layout"])


def _tabs(
    tabs: Component, items: list[tuple[Component, dict[str, Any]]], node: Callable[[dict[str, Any]], Markup]
) -> Markup:
    shown = [pair for pair in items if pair[0]["props"].get("visible", True) is True]
    if not shown:
        return Markup()
    wanted = tabs["props"].get("selected")
    chosen = next((pair for pair in shown if pair[0]["props"].get("id") == wanted), shown[0])
    bar = join(
        html('<span class="{}">{}</span>', "ts-early-chosen" if pair is chosen else "", _label(pair[0]))
        for pair in shown
    )
    inside = join(node(child) for child in chosen[1].get("children", []))
    return html(
        '<div{}><div class="ts-early-tabs">{}</div><div class="ts-early-column">{}</div></div>',
        _id_and_class(tabs),
        bar,
        inside,
    )


def _box(kind: str) -> Draw:
    def draw(component: Component, inside: Markup) -> Markup:
        return html("<div{}>{}</div>", _id_and_class(component, kind), inside) if inside else Markup()

    return draw


def _html(component: Component, inside: Markup) -> Markup:
    value = component["props"].get("value")
    own = component["props"].get("html_template") in (None, "${value}")
    # What brings a script of its own is not shown before the script can run.
    if not own or not isinstance(value, str) or len(value) > LONGEST or "<script" in value.lower():
        return Markup()
    # The value of a gr.HTML is our own HTML (app/parts/html.py), and Gradio puts it on the page as it is.
    return html("<div{}>{}</div>", _id_and_class(component), Markup(value))


def _button(component: Component, inside: Markup) -> Markup:
    primary = " ts-button-primary" if component["props"].get("variant") == "primary" else ""
    text = component["props"].get("value") or ""
    return html('<span class="ts-button{}"{}>{}</span>', primary, _wide(component), text)


def _accordion(component: Component, inside: Markup) -> Markup:
    return html(
        '<div{}><div class="ts-early-fold">{}</div>{}</div>',
        _id_and_class(component, "ts-early-box"),
        _label(component),
        inside,
    )


def _field(component: Component, inside: Markup) -> Markup:
    props = component["props"]
    value = props.get("value")
    names = {str(chosen): name for name, chosen in _pairs(props.get("choices"))}
    values = value if isinstance(value, list) else [value]
    text = ", ".join(str(names.get(str(one), one)) for one in values if one not in (None, ""))
    # 20 px a line, as Gradio's fields have: what follows must not jump.
    shown = html('<div style="min-height: {}px">{}</div>', 20 * int(props.get("lines") or 1), text)
    return _field_with_label(component, shown)


def _choices(component: Component, inside: Markup) -> Markup:
    value = component["props"].get("value")
    values = value if isinstance(value, list) else [value]
    names = join(
        html('<span class="{}">{}</span>', "ts-early-chosen" if chosen in values else "", name)
        for name, chosen in _pairs(component["props"].get("choices"))
    )
    return _field_with_label(component, html('<div class="ts-early-choices">{}</div>', names))


def _checkbox(component: Component, inside: Markup) -> Markup:
    return _field_with_label(component, Markup())


def _field_with_label(component: Component, field: Markup) -> Markup:
    props = component["props"]
    label = _label(component) if props.get("show_label", True) else ""
    info = html("<small>{}</small>", props["info"]) if props.get("info") else Markup()
    return html(
        '<div class="ts-early-field"{}><span>{}</span>{}{}</div>', _wide(component), label, info, field
    )


def _wide(component: Component) -> Markup:
    """The share that a component takes of its row, as Gradio gives it."""
    scale, least = component["props"].get("scale"), component["props"].get("min_width")
    # 160 px and a share of 1 are Gradio's own when nothing is said.
    return html(
        ' style="flex: {} 1 {}px"', 1 if scale is None else int(scale), 160 if least is None else int(least)
    )


def _pairs(choices: Any) -> list[tuple[Any, Any]]:
    return [(one[0], one[1]) if isinstance(one, list | tuple) else (one, one) for one in choices or []]


def _label(component: Component) -> str:
    return str(component["props"].get("label") or "")


def _id_and_class(component: Component, kind: str = "") -> Markup:
    """``id`` and ``class`` as Gradio will give them, so that the page's style sheets apply."""
    props = component["props"]
    classes = props.get("elem_classes") or []
    names = " ".join([kind, *(classes if isinstance(classes, list) else [classes])]).strip()
    own = html(' id="{}"', props["elem_id"]) if props.get("elem_id") else Markup()
    return own + (html(' class="{}"', names) if names else Markup())


_DRAW: dict[str, Draw] = {
    "column": _box("ts-early-column"),
    "row": _box("ts-early-row"),
    "group": _box("ts-early-box"),
    "form": _box("ts-early-form"),
    "html": _html,
    "button": _button,
    "accordion": _accordion,
    "textbox": _field,
    "dropdown": _field,
    "number": _field,
    "slider": _field,
    "radio": _choices,
    "checkboxgroup": _choices,
    "checkbox": _checkbox,
}
