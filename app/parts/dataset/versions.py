"""Versions: where this one comes from and what was made of it; any two of them compared."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, say, t
from app.parts import version_view
from app.parts.dataset import opened
from app.parts.events import ASKED, LIGHT, every, on_open
from app.parts.handlers import safely, sentence_of
from app.parts.html import heading, notice, panel
from studio_core.base.errors import StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.browse import diff
from studio_core.data import lineage, versions

NAME = "versions"

LOOK = 3.0
"""Seconds between two looks for new versions."""
PAGE = 10
"""Differences on one page."""


def build(studio: Studio, tab: gr.Tab) -> None:
    section = Versions(studio)
    history = panel("versions-history")
    heading("browse.compare_title")
    with gr.Row(elem_id="versions-asking"):
        other = gr.Dropdown(
            [],
            label=t("browse.compare_with"),
            info=t("browse.compare_help"),
            elem_id="versions-other",
            scale=3,
        )
        start = gr.Button(t("browse.compare"), elem_id="versions-compare", scale=0, min_width=160)
    counts = panel("versions-counts")
    with gr.Row(visible=False, elem_id="versions-turning") as turning:
        kind = gr.Radio(
            [(t(f"browse.kind_{kind}"), kind) for kind in diff.KINDS],
            value="changed",
            label=t("browse.kind"),
            elem_id="versions-kind",
            scale=2,
        )
        back = gr.Button(t("data.previous"), elem_id="versions-previous", scale=0, min_width=140)
        forward = gr.Button(t("data.next"), elem_id="versions-next", scale=0, min_width=140)
    listed = panel("versions-differences")
    offset, seen = gr.State(0), gr.State("")

    shown = [counts, turning, kind, listed, offset]
    on_open(section.open, [history, other, *shown])
    every(LOOK, section.look, [history, other, seen], [seen])
    start.click(safely(section.compared), [other], shown, trigger_mode="once", **ASKED)
    kind.input(safely(section.chosen), [other, kind], [listed, offset], **LIGHT)
    back.click(safely(section.back), [other, kind, offset], [listed, offset], **LIGHT)
    forward.click(safely(section.forward), [other, kind, offset], [listed, offset], **LIGHT)


class Versions:
    """The section's handlers. The other version is the older one of the two, whatever their ages are."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def open(self, request: gr.Request) -> tuple[Any, ...]:
        """The history; and the comparison, if the address names the other version (``with=``)."""
        language, dataset = language_of(request), opened(self.studio, request)
        family = lineage.family(self.studio, dataset)
        history = version_view.history(family, dataset, language)
        others = [one for one in versions.all_datasets(self.studio) if one.id != dataset.id]
        names = [f"{one.name}@{one.version}" for one in others]
        asked = str(request.query_params.get("with", ""))[:200]
        likely = lineage.before(self.studio, dataset)
        try:
            chosen = versions.get(self.studio, _name(asked)) if asked else likely
        except StudioError as error:
            unknown = notice("warn", error.sentence(language))
            return history, gr.Dropdown(choices=names), unknown, gr.Row(visible=False), gr.skip(), "", 0
        value = f"{chosen.name}@{chosen.version}" if chosen and chosen.id != dataset.id else None
        nothing = ("", gr.Row(visible=False), gr.skip(), "", 0)
        shown = self._compared(dataset, value, language) if asked and value else nothing
        return history, gr.Dropdown(choices=names, value=value), *shown

    def look(self, request: gr.Request, seen: str) -> tuple[Any, ...]:
        """The history anew, when a version has come to it; what is compared stays."""
        language, dataset = language_of(request), opened(self.studio, request)
        family = lineage.family(self.studio, dataset)
        now = ",".join(str(one.id) for one in family)
        if now == seen:
            return (gr.skip(),) * 3
        others = [one for one in versions.all_datasets(self.studio) if one.id != dataset.id]
        names = [f"{one.name}@{one.version}" for one in others]
        return version_view.history(family, dataset, language), gr.Dropdown(choices=names), now

    def compared(self, request: gr.Request, other: Any) -> tuple[Any, ...]:
        return self._compared(opened(self.studio, request), other, language_of(request))

    def _compared(self, dataset: Dataset, other: Any, language: str) -> tuple[Any, ...]:
        """Counts, and the first page of the first kind of which there are any."""
        try:
            older = versions.get(self.studio, str(other or ""))
            found = diff.compare(self.studio, older, dataset)
        except StudioError as error:
            sentence = sentence_of(error, language)
            return notice("warn", sentence), gr.Row(visible=False), gr.skip(), "", 0
        counts = found.counts
        kind = next((kind for kind in diff.KINDS if counts[kind]), "changed")
        differs = any(counts[kind] for kind in diff.KINDS)
        return (
            version_view.counts(counts, older, dataset, language),
            gr.Row(visible=differs),
            kind,
            self._page(dataset, older, kind, 0, language) if differs else "",
            0,
        )

    def chosen(self, request: gr.Request, other: Any, kind: Any) -> tuple[Any, ...]:
        return self._turned(request, other, kind, 0)

    def back(self, request: gr.Request, other: Any, kind: Any, offset: Any) -> tuple[Any, ...]:
        return self._turned(request, other, kind, int(offset) - PAGE)

    def forward(self, request: gr.Request, other: Any, kind: Any, offset: Any) -> tuple[Any, ...]:
        return self._turned(request, other, kind, int(offset) + PAGE)

    def _turned(self, request: gr.Request, other: Any, kind: Any, offset: int) -> tuple[Any, ...]:
        dataset, older = opened(self.studio, request), versions.get(self.studio, str(other or ""))
        count = diff.compare(self.studio, older, dataset).counts.get(str(kind), 0)
        offset = min(max(0, offset), max(0, (count - 1) // PAGE * PAGE))
        return self._page(dataset, older, str(kind), offset, language_of(request)), offset

    def _page(self, dataset: Dataset, older: Dataset, kind: str, offset: int, language: str) -> Markup:
        changes = diff.page(self.studio, older, dataset, kind, offset, PAGE)
        count = diff.compare(self.studio, older, dataset).counts[kind]
        where = say("browse.found", language, first=offset + 1, last=offset + len(changes), total=count)
        return version_view.differences(
            changes, where if changes else say("browse.kind_none", language), language
        )


def _name(asked: str) -> str | int:
    """A version's id, or its name."""
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 16 else asked
