"""The form above the records: what is searched, filtered and sorted, in the page's address as well."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from app.i18n import say, t
from app.parts.html import number
from app.parts.record_table import finding_name
from studio_core.base.errors import BadInput
from studio_core.browse.browse import Facets, Query
from studio_core.browse.query import RANGES, SORTS

SIZES = (25, 50, 100, 200)
CLEAN = "none"
"""Stands for "no finding" among the findings."""

_DEFAULTS: dict[str, Any] = {
    "q": "",
    "regex": "",
    "column": "",
    "holds": "",
    "language": "",
    "finding": [],
    "feature": "characters",
    "low": "",
    "high": "",
    "sort": "row",
    "down": False,
    "size": SIZES[0],
}
"""Each component of the form by its name in the address, in the form's order."""


@dataclass(frozen=True)
class Form:
    parts: dict[str, Component]
    """By the names of ``_DEFAULTS``, in their order."""
    events: list[Any]
    """What makes the records be looked for again."""
    jump: gr.Textbox
    reset: gr.Button

    @staticmethod
    def opened(
        query: Mapping[str, Any], facets: Facets, language: str
    ) -> tuple[list[Any], dict[str, dict[str, Any]]]:
        """The values that an address says, and updates of the parts, with what there is to choose from."""
        values = [_from_address(name, default, query) for name, default in _DEFAULTS.items()]
        offered = {
            "column": [("–", ""), *((column, column) for column in facets.columns)],
            "language": _languages(facets, language),
            "finding": _findings(facets, language),
        }
        for place, name in enumerate(_DEFAULTS):
            if name in offered:
                values[place] = _among(values[place], [value for _, value in offered[name]])
        updates = {
            name: gr.update(value=value, **({"choices": offered[name]} if name in offered else {}))
            for name, value in zip(_DEFAULTS, values, strict=True)
        }
        return values, updates

    @staticmethod
    def address(form: Sequence[Any]) -> dict[str, str]:
        """The form in a page's address: what differs from the beginning."""
        address = {}
        for (name, default), value in zip(_DEFAULTS.items(), form, strict=True):
            if value not in (default, None, "", []):
                address[name] = ",".join(map(str, value)) if isinstance(value, list) else str(value)[:1000]
        return address


def form() -> Form:
    with gr.Row(elem_id="browse-search-row"):
        search = gr.Textbox(
            label=t("browse.search"),
            info=t("browse.search_help"),
            elem_id="browse-search",
            max_lines=1,
            scale=4,
            min_width=260,
        )
        sort = gr.Dropdown(
            [(t(f"browse.by_{name}"), name) for name in SORTS],
            value="row",
            label=t("browse.sort"),
            elem_id="browse-sort",
            min_width=190,
        )
        jump = gr.Textbox(label=t("browse.jump"), max_lines=1, elem_id="browse-jump", min_width=110)
    with gr.Accordion(t("browse.filters"), open=False, elem_id="browse-filters"):
        with gr.Row():
            finding = gr.Dropdown(
                [],
                label=t("browse.findings"),
                info=t("browse.findings_help"),
                multiselect=True,
                elem_id="browse-findings",
                min_width=220,
            )
            language = gr.Dropdown([], label=t("browse.language"), elem_id="browse-language", min_width=140)
            feature = gr.Dropdown(
                [(t(f"browse.by_{name}"), name) for name in RANGES],
                value="characters",
                label=t("browse.feature"),
                elem_id="browse-feature",
                min_width=170,
            )
            low = gr.Textbox(label=t("browse.at_least"), max_lines=1, elem_id="browse-low", min_width=100)
            high = gr.Textbox(label=t("browse.at_most"), max_lines=1, elem_id="browse-high", min_width=100)
        with gr.Row():
            regex = gr.Textbox(
                label=t("browse.regex"),
                info=t("browse.regex_help"),
                elem_id="browse-regex",
                max_lines=1,
                min_width=220,
            )
            column = gr.Dropdown([], label=t("browse.column"), elem_id="browse-column", min_width=140)
            holds = gr.Textbox(
                label=t("browse.holds"),
                info=t("browse.holds_help"),
                elem_id="browse-holds",
                max_lines=1,
                min_width=180,
            )
            down = gr.Checkbox(label=t("browse.descending"), elem_id="browse-descending", min_width=140)
            size = gr.Dropdown(
                list(SIZES), value=SIZES[0], label=t("browse.size"), elem_id="browse-size", min_width=110
            )
        reset = gr.Button(t("browse.reset"), elem_id="browse-reset", scale=0, min_width=180)
    parts: dict[str, Component] = {
        "q": search, "regex": regex, "column": column, "holds": holds, "language": language, "finding": finding,
        "feature": feature, "low": low, "high": high, "sort": sort, "down": down, "size": size,
    }  # fmt: skip
    events = [
        *(box.submit for box in (search, regex, holds, low, high)),
        *(box.blur for box in (search, regex, holds, low, high)),
        *(choice.input for choice in (column, language, finding, feature, sort, down, size)),
    ]
    return Form(parts, events, jump, reset)


def query_of(form: Sequence[Any]) -> tuple[Query, int]:
    """What the form asks for, and how many records a page has; values come from a browser."""
    values = dict(zip(_DEFAULTS, form, strict=True))
    findings = tuple(str(name) for name in values["finding"] or ())
    feature = str(values["feature"] or "characters")
    low, high = _bound(feature, values["low"]), _bound(feature, values["high"])
    query = Query(
        search=str(values["q"] or ""),
        regex=str(values["regex"] or ""),
        columns=((str(values["column"]), str(values["holds"])),)
        if values["column"] and values["holds"]
        else (),
        language=str(values["language"] or ""),
        findings=tuple(name for name in findings if name != CLEAN),
        clean=CLEAN in findings,
        ranges=((feature, low, high),) if low is not None or high is not None else (),
        sort=str(values["sort"] or "row"),
        descending=bool(values["down"]),
    )
    size = values["size"]
    return query, size if size in SIZES else SIZES[0]


def _bound(name: str, value: Any) -> float | None:
    """A bound that was typed; raises ``BadInput`` for what is no number."""
    text = str(value or "").strip()
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadInput("browse.not_a_number", name=name, value=text[:40])
    return number


def _from_address(name: str, default: Any, query: Mapping[str, Any]) -> Any:
    text = str(query.get(name, ""))[:1000]
    if not text:
        return list(default) if isinstance(default, list) else default
    if isinstance(default, list):
        return [part for part in text.split(",") if part]
    if isinstance(default, bool):
        return text == "True"
    if name == "size":
        return next((size for size in SIZES if str(size) == text), default)
    if name in ("sort", "feature"):
        return text if text in SORTS else default
    return text


def _among(value: Any, offered: list[str]) -> Any:
    """What of an address can be chosen."""
    if isinstance(value, list):
        return [choice for choice in value if choice in offered]
    return value if value in offered else ""


def _languages(facets: Facets, language: str) -> list[tuple[str, str]]:
    unknown = say("browse.language_unknown", language)
    shown = [(f"{code or unknown} ({number(n)})", code or "unknown") for code, n in facets.languages]
    return [(say("browse.any", language), ""), *shown]


def _findings(facets: Facets, language: str) -> list[tuple[str, str]]:
    shown = [(f"{finding_name(name, language)} ({number(n)})", name) for name, n in facets.findings]
    return [(say("browse.no_finding", language), CLEAN), *shown]
