"""My votes: what somebody judged and skipped, the newest first, each to be opened again; and how steady they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import gradio as gr
from markupsafe import Markup

from app.access import EVERYONE
from app.i18n import language_of, phrases, say, t
from app.parts.events import ASKED, GO, LIGHT, on_open
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import NOTHING, ago, empty, html, join, number, panel, stat, table
from app.parts.labeling import annotator, asked_for, opened
from app.parts.labeling.results_view import share_of
from studio_core.base.studio import Studio
from studio_core.base.tables import Annotation, LabelProject
from studio_core.labeling import history, statistics, undoing
from studio_core.labeling.history import Past
from studio_core.labeling.votes import draft_of

NAME = "history"
ROLES = EVERYONE
KINDS: dict[str, bool | None] = {"all": None, "judged": False, "skipped": True}
_EXCERPT = 90
"""Characters of a question."""


def build(studio: Studio, tab: gr.Tab) -> None:
    with gr.Row():
        kind = _kinds()
        undo = gr.Button(t("labeling.history_undo"), elem_id="label-history-undo", scale=0, min_width=220)
    body = panel("label-history")
    older = gr.Button(t("labeling.history_older"), visible=False, elem_id="label-history-older", scale=0)
    before, back = gr.State(0), gr.Textbox(visible=False)

    parts = {"body": body, "older": older, "before": before}
    section, shown = History(studio, parts), list(parts.values())
    on_open(section.open_history, shown)
    tab.select(safely(section.chosen), kind, shown, **LIGHT)
    kind.input(safely(section.chosen), kind, shown, **LIGHT)
    older.click(safely(section.older), [kind, before], shown, **LIGHT)
    undo.click(safely(section.undone), None, back, trigger_mode="once", **ASKED).then(
        None, js=GO, inputs=[back]
    )


def _kinds() -> gr.Radio:
    return gr.Radio(
        [(t(f"labeling.history_{name}"), name) for name in KINDS],
        value="all",
        label=t("labeling.history_kind"),
        show_label=False,
        container=False,
        elem_id="label-history-kind",
    )


class History(Handlers):
    """What the section does when it is opened, on a choice, and on its buttons."""

    def open_history(self, request: gr.Request) -> Any:
        if not asked_for(request, NAME, ROLES):
            return gr.skip()
        return self._page(request, "all", 0)

    def chosen(self, request: gr.Request, kind: Any) -> Updates:
        return self._page(request, kind, 0)

    def older(self, request: gr.Request, kind: Any, before: Any) -> Updates:
        return self._page(request, kind, int(before or 0))

    def undone(self, request: gr.Request) -> str:
        """Undo what they did last; the screen, where it is before them again."""
        project = opened(self.studio, request)
        undoing.undo(self.studio, project.id, annotator(request))
        return f"/label?project={project.id}"

    def _page(self, request: gr.Request, kind: Any, before: int) -> Updates:
        """Always the asker's own votes, whatever the browser sends; ``before`` is the id of a vote."""
        project, me, language = opened(self.studio, request), annotator(request), language_of(request)
        past = history.of(self.studio, project.id, me, before=before or None, skipped=KINDS.get(str(kind)))
        figures = Markup() if before else _figures(self.studio, project, me, language)
        last = past[-1].vote.id if past else 0
        return self._updates(
            body=html("{}{}", figures, _table(project, past, language)),
            older=gr.Button(visible=len(past) == history.PAGE),
            before=last,
        )


def _figures(studio: Studio, project: LabelProject, me: str, language: str) -> Markup:
    habits = statistics.of_person(studio, project.id, me)
    if not habits.votes:
        return Markup()
    phrase = phrases("labeling.", language)
    seconds = NOTHING if habits.median_seconds is None else f"{habits.median_seconds:.1f} s"
    pace = NOTHING if habits.hourly is None else f"{number(round(habits.hourly))} / h"
    figures = [
        stat(phrase("habit_votes"), number(habits.votes)),
        stat(phrase("habit_pace"), pace, say("labeling.history_median", language, seconds=seconds)),
        stat(phrase("habit_left"), share_of(habits.left_wins)),
        stat(phrase("habit_same"), share_of(habits.consistent), phrase("history_same_note")),
    ]
    return html('<div class="ts-card"><div class="ts-figures">{}</div></div>', join(figures))


def _table(project: LabelProject, past: list[Past], language: str) -> Markup:
    if not past:
        return empty(say("labeling.history_none", language))
    phrase = phrases("labeling.", language)
    heads = [phrase(f"history_col_{name}") for name in ("number", "question", "said", "others", "when")]
    rows = []
    for entry in past:
        question = str(entry.item.prompt[-1]["content"])
        address = f"/label?project={project.id}&item={entry.item.id}"
        shown = html('<a href="{}">{}</a>', address, entry.item.number)
        if entry.vote.repeats_id is not None:  # It measures something: changing it would spoil that.
            shown = html("{} {}", entry.item.number, phrase("history_repeat"))
        rows.append(
            [
                shown,
                question[:_EXCERPT] + ("…" if len(question) > _EXCERPT else ""),
                _verdict(entry.vote, language),
                _others(entry.others, entry.vote, language),
                ago(entry.vote.created_at, language),
            ]
        )
    return table([*heads], rows)


def _verdict(vote: Annotation, language: str) -> str:
    """As it was said: sides are those that this person saw."""
    draft = draft_of(vote)
    if draft["verdict"] == "rated":
        return str(draft["rating"])
    if draft["verdict"] == "ranked":
        return " > ".join("ABCDEFGH"[place] for place in draft["ranking"])
    verdict = say(f"labeling.screen_{draft['verdict']}", language)
    marks = ["✎"] if "edits" in draft else []
    return " ".join([verdict, *marks])


def _others(others: Mapping[str, int], vote: Annotation, language: str) -> str:
    """What others said of the same item, on this person's sides: shown only now that their own vote is in."""
    sides = {"ab"[place]: ("left", "right")[shown] for shown, place in enumerate(vote.order[:2])}
    counted: Counter[str] = Counter()
    for verdict, n in others.items():
        name = sides.get(verdict, verdict) if len(vote.order) == 2 else verdict
        counted[say(f"labeling.screen_{name}", language) if name in _NAMED else name] += n
    return ", ".join(f"{verdict} × {n}" for verdict, n in counted.most_common()) or NOTHING


_NAMED = ("left", "right", "tie", "both_bad", "skip")
