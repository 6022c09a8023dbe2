"""Versions: where this one comes from and what was made of it; any two of them compared."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, say, t
from app.parts import version_view
from app.parts.dataset import opened
from app.parts.events import ASKED, LIGHT, every, on_open
from app.parts.handlers import Handlers, Updates, safely, sentence_of
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
    parts: dict[str, Any] = {"history": panel("versions-history")}
    heading("browse.compare_title")
    with gr.Row(elem_id="versions-asking"):
        parts["other"] = gr.Dropdown(
            [],
            label=t("browse.compare_with"),
            info=t("browse.compare_help"),
            elem_id="versions-other",
            scale=3,
        )
        start = gr.Button(t("browse.compare"), elem_id="versions-compare", scale=0, min_width=160)
    parts["counts"] = panel("versions-counts")
    with gr.Row(visible=False, elem_id="versions-turning") as parts["turning"]:
        parts["kind"] = gr.Radio(
            [(t(f"browse.kind_{kind}"), kind) for kind in diff.KINDS],
            value="changed",
            label=t("browse.kind"),
            elem_id="versions-kind",
            scale=2,
        )
        back = gr.Button(t("data.previous"), elem_id="versions-previous", scale=0, min_width=140)
        forward = gr.Button(t("data.next"), elem_id="versions-next", scale=0, min_width=140)
    parts |= {"listed": panel("versions-differences"), "offset": gr.State(0), "family": gr.State("")}
    section = Versions(studio, parts)
    history, other, kind, listed, offset, family = (
        parts[name] for name in ("history", "other", "kind", "listed", "offset", "family")
    )
    comparison = [parts["counts"], parts["turning"], kind, listed, offset]
    on_open(section.open, [history, other, *comparison])
    every(LOOK, section.look, [history, other, family], [family])
    start.click(safely(section.compare), [other], comparison, trigger_mode="once", **ASKED)
    kind.input(safely(section.choose), [other, kind], [listed, offset], **LIGHT)
    back.click(safely(section.back), [other, kind, offset], [listed, offset], **LIGHT)
    forward.click(safely(section.forward), [other, kind, offset], [listed, offset], **LIGHT)


class Versions(Handlers):
    """The section's handlers. The other version is the older one of the two, whatever their ages are."""

    def open(self, request: gr.Request) -> Updates:
        """The history; and the comparison, if the address names the other version (``with=``)."""
        language, dataset = language_of(request), opened(self.studio, request)
        history = version_view.history(lineage.family(self.studio, dataset), dataset, language)
        names = self._others(dataset)
        asked = str(request.query_params.get("with", ""))[:200]
        nothing = self._nothing("")
        try:
            chosen = (
                versions.get(self.studio, _name(asked)) if asked else lineage.before(self.studio, dataset)
            )
        except StudioError as error:
            chosen, nothing = None, self._nothing(notice("warn", error.sentence(language)))
        value = f"{chosen.name}@{chosen.version}" if chosen and chosen.id != dataset.id else None
        comparison = self._comparison(dataset, value, language) if asked and value else nothing
        other = gr.Dropdown(choices=names, value=value)
        return {**self._updates(history=history, other=other), **comparison}

    def look(self, request: gr.Request, family: str) -> Any:
        """The history anew, when a version has come to it; what is compared stays."""
        language, dataset = language_of(request), opened(self.studio, request)
        members = lineage.family(self.studio, dataset)
        # By their ids, and not drawn and compared: a drawing says "2 minutes ago", and would differ each minute.
        now = ",".join(str(member.id) for member in members)
        if now == family:
            return gr.skip()
        return self._updates(
            history=version_view.history(members, dataset, language),
            other=gr.Dropdown(choices=self._others(dataset)),
            family=now,
        )

    def compare(self, request: gr.Request, other: Any) -> Updates:
        return self._comparison(opened(self.studio, request), other, language_of(request))

    def _others(self, dataset: Dataset) -> list[str]:
        others = [other for other in versions.all_datasets(self.studio) if other.id != dataset.id]
        return [f"{other.name}@{other.version}" for other in others]

    def _nothing(self, reason: str | Markup) -> Updates:
        """No comparison; the kind of differences that is chosen stays."""
        return self._updates(counts=reason, turning=gr.Row(visible=False), listed="", offset=0)

    def _comparison(self, dataset: Dataset, other: Any, language: str) -> Updates:
        """Counts, and the first page of the first kind of which there are any."""
        try:
            older = versions.get(self.studio, str(other or ""))
            counts = diff.compare(self.studio, older, dataset).counts
        except StudioError as error:
            return self._nothing(notice("warn", sentence_of(error, language)))
        kind = next((kind for kind in diff.KINDS if counts[kind]), "changed")
        differs = any(counts[kind] for kind in diff.KINDS)
        return self._updates(
            counts=version_view.counts(counts, older, dataset, language),
            turning=gr.Row(visible=differs),
            kind=kind,
            listed=self._page(dataset, older, kind, 0, language) if differs else "",
            offset=0,
        )

    def choose(self, request: gr.Request, other: Any, kind: Any) -> Updates:
        return self._turn(request, other, kind, 0)

    def back(self, request: gr.Request, other: Any, kind: Any, offset: Any) -> Updates:
        return self._turn(request, other, kind, int(offset) - PAGE)

    def forward(self, request: gr.Request, other: Any, kind: Any, offset: Any) -> Updates:
        return self._turn(request, other, kind, int(offset) + PAGE)

    def _turn(self, request: gr.Request, other: Any, kind: Any, offset: int) -> Updates:
        dataset, older = opened(self.studio, request), versions.get(self.studio, str(other or ""))
        count = diff.compare(self.studio, older, dataset).counts.get(str(kind), 0)
        # Kept within what there is: "next" on the last page stays on it.
        offset = min(max(0, offset), max(0, (count - 1) // PAGE * PAGE))
        listed = self._page(dataset, older, str(kind), offset, language_of(request))
        return self._updates(listed=listed, offset=offset)

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
