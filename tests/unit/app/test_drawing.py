"""The server's drawing of a page: what Gradio will show, in its place, and nothing that could run."""

from __future__ import annotations

from typing import Any

from app.drawing import LONGEST, draw_page


def config(*components: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    listed = [{"id": n, "type": kind, "props": props} for n, (kind, props) in enumerate(components, 1)]
    return {"components": listed, "layout": {"id": 0, "children": [{"id": one["id"]} for one in listed]}}


def test_values_and_labels_are_there() -> None:
    field = {"label": "Sort by", "value": "row", "choices": [["Original order", "row"]], "info": "How"}
    shown = draw_page(config(("html", {"value": "<h1>Data</h1>", "elem_id": "head"}), ("dropdown", field)))
    assert '<div id="head"><h1>Data</h1></div>' in shown
    assert "Sort by" in shown and "Original order" in shown and "How" in shown


def test_what_is_not_visible_is_not_drawn() -> None:
    shown = draw_page(
        config(
            ("textbox", {"label": "No", "visible": False}), ("button", {"value": "x", "visible": "hidden"})
        )
    )
    assert shown == ""


def test_only_the_open_tab_is_drawn() -> None:
    known = config(
        ("tabs", {"selected": "two"}),
        ("tabitem", {"label": "One", "id": "one"}),
        ("tabitem", {"label": "Two", "id": "two"}),
        ("html", {"value": "<p>first</p>"}),
        ("html", {"value": "<p>second</p>"}),
    )
    known["layout"]["children"] = [
        {"id": 1, "children": [{"id": 2, "children": [{"id": 4}]}, {"id": 3, "children": [{"id": 5}]}]}
    ]
    shown = draw_page(known)
    assert "One" in shown and "<p>second</p>" in shown and "first" not in shown


def test_texts_of_fields_are_escaped_and_no_script_is_drawn() -> None:
    bad = "<img onerror=x>"
    shown = draw_page(
        config(
            ("textbox", {"label": bad, "value": bad, "info": bad}),
            ("radio", {"choices": [[bad, bad]], "value": bad}),
            ("button", {"value": bad}),
            ("html", {"value": "<p>ours</p><SCRIPT>alert(1)</SCRIPT>"}),
            ("html", {"value": "x" * (LONGEST + 1)}),
        )
    )
    assert "<img" not in shown and "&lt;img" in shown
    assert "SCRIPT" not in shown and "xxx" not in shown
