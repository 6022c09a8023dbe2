"""Rounds: train on the votes, compare the model before and after, and do it again."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.i18n import I18nData
from markupsafe import Markup

from app.access import STAFF, only
from app.i18n import combined, language_of, say, t
from app.parts.events import ASKED, GO, LIGHT, on_open
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import html, panel
from app.parts.labeling import asked_for, opened, rounds_view
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import LabelProject
from studio_core.labeling import exports, outcomes, projects, rounds, trained
from studio_core.labeling.records import usual_shape
from studio_core.methods import METHODS
from studio_core.runs.engine_process import ensure_engine

NAME = "rounds"
ROLES = STAFF


def build(studio: Studio, tab: gr.Tab) -> None:
    step = panel("rounds-step", js_on_load=rounds_view.MORE)
    with gr.Row(visible=False, elem_id="rounds-forms") as forms:
        with gr.Column(elem_classes="ts-card", min_width=320):
            method = gr.Dropdown(
                _trainings(),
                label=t("labeling.round_train_as"),
                info=t("labeling.round_train_help"),
                elem_id="rounds-method",
            )
            train = gr.Button(t("labeling.train"), variant="primary", elem_id="rounds-train")
        with gr.Column(elem_classes="ts-card", min_width=320):
            with gr.Row():
                run = gr.Dropdown([], label=t("labeling.round_run"), elem_id="rounds-run", scale=3)
                limit = gr.Number(
                    rounds.LIMIT,
                    label=t("labeling.round_prompts"),
                    precision=0,
                    minimum=1,
                    maximum=rounds.MOST,
                    elem_id="rounds-limit",
                    scale=1,
                    min_width=100,
                )
            against = gr.Radio(
                [(t(f"labeling.round_against_{name}"), name) for name in outcomes.AGAINST],
                value=outcomes.AGAINST[0],
                label=t("labeling.round_against"),
                elem_id="rounds-against",
            )
            compare = gr.Button(t("labeling.round_compare"), elem_id="rounds-compare")
            outlook = panel("rounds-outlook")
    results = panel("rounds-results", js_on_load=rounds_view.MORE)
    address = gr.Textbox(visible=False)

    parts = {
        "step": step, "results": results, "forms": forms, "method": method, "run": run, "outlook": outlook,
        "address": address,
    }  # fmt: skip
    section = Rounds(studio, parts)
    shown = [step, results, forms, method, run, outlook]
    on_open(section.open_rounds, shown)
    tab.select(safely(section.rounds), None, shown, **LIGHT)
    train.click(safely(section.train), [method], [address], trigger_mode="once", **ASKED).then(
        None, js=GO, inputs=[address]
    )
    asked = [run, against, limit]
    gr.on([part.change for part in asked], safely(section.outlook), asked, outlook, **LIGHT)
    compare.click(safely(section.compare), asked, [address], trigger_mode="once", **ASKED).then(
        None, js=GO, inputs=[address]
    )
    for place in (step, results):
        more_of(studio, place, address)


def _trainings() -> list[tuple[I18nData, str]]:
    """What is made of the votes: data for a method that learns from them."""
    return [
        (combined("{} · {}", METHODS[name].title_key, f"labeling.shape_{export}"), name)
        for name, export in rounds.exports_by_method().items()
    ]


def more_of(studio: Studio, place: gr.HTML, address: gr.Textbox) -> None:
    """Have the buttons for further prompts in a panel work; the page then goes to their pairs."""
    place.more(safely(Rounds(studio, {}).more), None, [address], trigger_mode="once", **ASKED).then(
        None, js=GO, inputs=[address]
    )


class Rounds(Handlers):
    """What the section does when it is opened, on a change of its forms, and on their buttons."""

    def open_rounds(self, request: gr.Request) -> Any:
        if not asked_for(request, NAME, ROLES):
            return gr.skip()
        return self.rounds(request)

    @only(STAFF)
    def rounds(self, request: gr.Request) -> Updates:
        """Where the loop stands; of a round, what came of it."""
        language, project = language_of(request), opened(self.studio, request)
        root = projects.root(self.studio, project)
        all_results = outcomes.results(self.studio, root)
        results = rounds_view.results(self.studio, all_results, language)
        if not project.round:
            results += rounds_view.sources(self.studio, project, language)
        if project.round:
            step = rounds_view.of_round(root, language)
            return self._updates(step=step, results=results, forms=gr.Column(visible=False))
        step = rounds.next_step(self.studio, project, all_results)
        runs = self._runs(project, language)
        newest = step.job.id if step.name == "compare" and step.job else None
        chosen = newest or (runs[0][1] if runs else None)
        return self._updates(
            step=rounds_view.step(self.studio, project, step, language),
            results=results,
            forms=gr.Column(visible=True),
            method=gr.update(value=rounds.learners(usual_shape(project))[0].name),
            run=gr.Dropdown(choices=runs, value=chosen),
            outlook=self._outlook(project, chosen, outcomes.AGAINST[0], rounds.LIMIT, language),
        )

    @only(STAFF)
    def outlook(self, request: gr.Request, run: Any, against: Any, limit: Any) -> Markup:
        """What a comparison of what the form says would be made of."""
        return self._outlook(opened(self.studio, request), run, against, limit, language_of(request))

    def _outlook(self, project: LabelProject, run: Any, against: Any, limit: Any, language: str) -> Markup:
        if not isinstance(run, int):
            return Markup()
        # An emptied field sends nothing: then it is what the form began with.
        most = int(limit) if isinstance(limit, int | float) else rounds.LIMIT
        try:
            asked = rounds.comparison(self.studio, project.id, run, str(against))
        except StudioError as error:
            return html('<span class="ts-muted">{}</span>', error.sentence(language))
        return rounds_view.outlook(self.studio, asked, most, language)

    def _runs(self, project: LabelProject, language: str) -> list[tuple[str, int]]:
        runs = [job for job in trained.runs_of(self.studio, project) if job.state == State.SUCCEEDED]
        return [
            (say("labeling.round_run_named", language, run=job.id, name=job.name), job.id) for job in runs
        ]

    @only(STAFF)
    def train(self, request: gr.Request, method: Any) -> str:
        """Make a version of the votes; the page then goes to the Train page, filled in."""
        project, asked = opened(self.studio, request), str(method or "")
        shapes = rounds.exports_by_method()
        if asked not in shapes:
            raise BadInput("methods.unknown_method", name=asked[:40], known=", ".join(shapes))
        dataset, *_ = exports.make_dataset(self.studio, project.id, shapes[asked])
        return rounds_view.train_address(self.studio, project, dataset, asked)

    @only(STAFF)
    def compare(self, request: gr.Request, run: Any, against: Any, limit: Any) -> str:
        """Start a round; the page then goes to its pairs."""
        if not isinstance(run, int):
            raise BadInput("labeling.round_choose_run")
        project = opened(self.studio, request)
        wanted = int(limit) if isinstance(limit, int | float) else rounds.LIMIT
        round_, _ = rounds.compare(self.studio, project.id, run, against=str(against), limit=wanted)
        ensure_engine(self.studio)
        return f"/label?project={round_.id}"

    @only(STAFF)
    def more(self, request: gr.Request, event: gr.EventData) -> str:
        """Further prompts for a round that tells nothing yet."""
        asked = event._data if isinstance(event._data, dict) else {}
        number = asked.get("round")
        if not isinstance(number, int):
            raise BadInput("labeling.round_none", project=str(number)[:40])
        rounds.more(self.studio, number)
        ensure_engine(self.studio)
        return f"/label?project={number}"
