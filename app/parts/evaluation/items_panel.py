"""The items of one evaluation: two models' answers to the same questions, and a way from them to data."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, say, t
from app.parts.evaluation import item_view
from app.parts.evaluation.asked import asked_job
from app.parts.events import ASKED, LIGHT, on_open, typed
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import html, notice, number, panel
from studio_core.base.errors import NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.data.appending import Added
from studio_core.evaluation import browsing, item_records, results
from studio_core.evaluation.browsing import FILTERS, Pair
from studio_core.labeling import evaluated

# Both answers of ten questions are some screens long.
ROWS = 10
CHOICE = ("suite", "before", "after", "which", "marked")

_ACT = """
element.addEventListener('click', (event) => {
	const button = event.target.closest('[data-item]');
	if (button) trigger('act', { place: Number(button.dataset.item), kind: button.dataset.kind });
});
"""


def build(studio: Studio, changed: gr.Textbox) -> None:
    """The section; ``changed`` is another text when there are new results."""
    parts: dict[str, Any] = {"offset": gr.State(0), "chosen": gr.State([])}
    with gr.Column(visible=False, elem_id="evaluation-items") as parts["section"]:
        parts["title"] = panel("items-title")
        with gr.Row():
            for name in ("suite", "before", "after", "which"):
                parts[name] = gr.Dropdown(
                    [], label=t(f"evaluation.item_{name}"), elem_id=f"items-{name}", min_width=130
                )
        with gr.Row(elem_id="items-turning"):
            parts["position"] = panel("items-position")
            parts["marked"] = gr.Checkbox(
                False, label=t("evaluation.marked"), elem_id="items-marked", min_width=130
            )
            for name in ("previous", "next"):
                parts[name] = gr.Button(
                    t(f"evaluation.{name}"), elem_id=f"items-{name}", min_width=90, scale=0
                )
        parts["done"] = panel("items-done")
        parts["listed"] = panel("items-list", js_on_load=_ACT)
        with gr.Row(elem_id="items-to"):
            for name in ("dataset", "project"):
                parts[name] = gr.Textbox(
                    label=t(f"evaluation.{name}_name"),
                    info=t(f"evaluation.{name}_name_help"),
                    elem_id=f"items-{name}",
                    max_lines=1,
                )
            parts["all"] = gr.Button(t("evaluation.all_to_label"), elem_id="items-all", scale=0)
    view = Items(studio, parts)
    choice = [parts[name] for name in CHOICE]
    shown = [parts[name] for name in ("title", "which", "position", "listed", "offset", "chosen")]
    latest: dict[str, Any] = {**LIGHT, "trigger_mode": "always_last"}
    opened = [parts["section"], *choice, parts["dataset"], parts["project"], *shown]
    on_open(view.open, opened)
    changed.change(safely(view.open), None, opened, **LIGHT)
    gr.on(typed(choice), safely(view.look), [parts["chosen"], *choice], shown, **latest)
    for name, handler in (("previous", view.back), ("next", view.forward)):
        parts[name].click(safely(handler), [parts["offset"], *choice], shown, **LIGHT)
    to = [parts[name] for name in ("suite", "before", "after", "which", "dataset", "project")]
    parts["listed"].act(safely(view.add), to, [parts["done"]], trigger_mode="once", **ASKED)
    parts["all"].click(safely(view.send_all), to, [parts["done"]], trigger_mode="once", **ASKED)


class Items(Handlers):
    """The section's handlers. Which evaluation is meant, the address says."""

    def open(self, request: gr.Request) -> Any:
        job, language = asked_job(self.studio, request), language_of(request)
        reached = results.of_job(self.studio, job.id) if job else ()
        if job is None or not reached:
            return gr.skip()
        suites = list(dict.fromkeys(each.suite for each in reached))
        pair = browsing.pair(self.studio, job)
        models = [name for name in job.spec["models"] if any(each.model == name for each in reached)]
        # What was lost is what a person looks for first.
        which = "lost" if pair.places("lost") else "all"
        fields = self._updates(
            section=gr.Column(visible=True),
            suite=gr.Dropdown(
                choices=[(browsing.title(name, language), name) for name in suites], value=pair.after.suite
            ),
            before=gr.Dropdown(choices=models, value=pair.before.model),
            after=gr.Dropdown(choices=models, value=pair.after.model),
            dataset=f"evaluation-{job.id}",
            project=f"evaluation-{job.id}",
            marked=False,
        )
        return {**fields, **self._page(pair, which, False, 0, language)}

    def look(self, request: gr.Request, chosen: Any, *choice: Any) -> Any:
        """Begin anew with another choice. A list that is only left says the same once more, and nothing is turned."""
        return gr.skip() if chosen == [*choice] else self._turned(request, 0, *choice)

    def back(self, request: gr.Request, offset: Any, *choice: Any) -> Any:
        return self._turned(request, _whole(offset) - ROWS, *choice)

    def forward(self, request: gr.Request, offset: Any, *choice: Any) -> Any:
        return self._turned(request, _whole(offset) + ROWS, *choice)

    def add(
        self,
        request: gr.Request,
        event: gr.EventData,
        suite: Any,
        before: Any,
        after: Any,
        which: Any,
        dataset: Any,
        project: Any,
    ) -> Updates:
        """What the button of an item asks for: a record of a dataset, or an item to be judged."""
        sent = event._data if isinstance(event._data, dict) else {}
        pair = self._pair(self._job(request), suite, before, after)
        place, kind, language = _whole(sent.get("place"), -1), str(sent.get("kind", "")), language_of(request)
        if not 0 <= place < len(pair):
            raise NotFound("evaluation.no_item", place=place)
        if kind == "label":
            return self._updates(done=self._sent(pair, [place], project, language))
        added = item_records.add(self.studio, pair, [place], kind, str(dataset or ""))
        return self._updates(done=_added(added, language))

    def send_all(
        self, request: gr.Request, suite: Any, before: Any, after: Any, which: Any, dataset: Any, project: Any
    ) -> Updates:
        """All items that the filter lets through go to the labelling project."""
        pair = self._pair(self._job(request), suite, before, after)
        return self._updates(
            done=self._sent(pair, pair.places(str(which or "all")), project, language_of(request))
        )

    def _sent(self, pair: Pair, places: list[int], project: Any, language: str) -> Markup:
        taken, counted = evaluated.add(self.studio, pair, places, str(project or "").strip() or "evaluation")
        link = html('<a href="/label?project={}">{}</a>', taken.id, taken.name)
        left = counted.identical + counted.empty
        known = counted.known and not counted.added
        words = say("evaluation.items_known" if known else "evaluation.items_sent", language, n=counted.added)
        more = say("evaluation.items_left", language, n=left) if left else ""
        return notice("info" if known or left else "good", html("{} {}. {}", words, link, more))

    def _job(self, request: gr.Request) -> Job:
        job = asked_job(self.studio, request)
        if job is None:
            raise NotFound("evaluation.not_evaluation", job="-")
        return job

    def _pair(self, job: Job, suite: Any, before: Any, after: Any) -> Pair:
        return browsing.pair(self.studio, job, str(suite or ""), str(after or ""), str(before or ""))

    def _turned(self, request: gr.Request, offset: int, *choice: Any) -> Updates:
        """``choice``: the fields of ``CHOICE``."""
        suite, before, after, which, marked = choice
        pair = self._pair(self._job(request), suite, before, after)
        return self._page(pair, str(which or "all"), marked is True, offset, language_of(request))

    def _page(self, pair: Pair, which: str, marked: bool, offset: int, language: str) -> Updates:
        counts = pair.counts()
        which = which if which in FILTERS else "all"
        places = pair.places(which)
        offset = max(0, min(offset, (len(places) - 1) // ROWS * ROWS))
        choices = [
            (say(f"evaluation.which_{name}", language, n=number(n)), name) for name, n in counts.items()
        ]
        return self._updates(
            title=item_view.title(language),
            which=gr.Dropdown(choices=choices, value=which),
            position=item_view.position(len(places), offset, ROWS, language),
            listed=item_view.items(pair, places[offset : offset + ROWS], marked, language),
            offset=offset,
            chosen=[pair.after.suite, pair.before.model, pair.after.model, which, marked],
        )


def _added(added: Added, language: str) -> Markup:
    words = say(
        "evaluation.records_added" if added.new else "evaluation.records_known",
        language,
        n=added.added,
    )
    dataset = added.dataset
    link = html('<a href="/dataset?id={}">{}@{}</a>', dataset.id, dataset.name, dataset.version)
    return notice("good" if added.new else "info", html("{} {}", words, link))


def _whole(value: Any, otherwise: int = 0) -> int:
    """A number that a page sent; ``otherwise`` for what is none."""
    return int(value) if isinstance(value, int | float) and abs(value) < 1e9 else otherwise
