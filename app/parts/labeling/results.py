"""Results: what the votes are worth, and what is made of them."""

from __future__ import annotations

import gradio as gr
from markupsafe import Markup

from app.access import STAFF, only
from app.i18n import language_of, t
from app.parts.events import ASKED, LIGHT, on_open
from app.parts.handlers import safely
from app.parts.html import panel
from app.parts.labeling import asked_for, opened, results_view
from app.parts.labeling.rounds_view import train_address
from studio_core.labeling import exports, projects
from studio_core.labeling.records import usual_shape
from studio_core.studio import Studio

NAME = "results"
ROLES = STAFF


def build(studio: Studio, tab: gr.Tab) -> None:
    section = Results(studio)
    with gr.Row():
        refresh = gr.Button(t("labeling.refresh"), elem_id="label-refresh", scale=0, min_width=160)
        make = gr.Button(
            t("labeling.make_dataset"), variant="primary", elem_id="label-make", scale=0, min_width=220
        )
    made = panel("label-made")
    statistics = panel("label-statistics")

    on_open(section.open_results, statistics)
    tab.select(safely(section.statistics), None, statistics, **LIGHT)
    refresh.click(safely(section.statistics), None, statistics, **LIGHT)
    make.click(safely(section.dataset), None, made, trigger_mode="once", **ASKED)


class Results:
    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def open_results(self, request: gr.Request) -> Markup:
        return self.statistics(request) if asked_for(request, NAME, ROLES) else Markup()

    @only(STAFF)
    def statistics(self, request: gr.Request) -> Markup:
        return results_view.statistics(self.studio, opened(self.studio, request), language_of(request))

    @only(STAFF)
    def dataset(self, request: gr.Request) -> Markup:
        """The votes as versions of a dataset, with the way to train on them; a round's are its project's."""
        one = projects.root(self.studio, opened(self.studio, request))
        shape = usual_shape(one)
        made = exports.make_dataset(self.studio, one.id, shape)
        train = train_address(self.studio, one, made[0], shape)
        return results_view.made(made, train, language_of(request))
