"""Results: what the votes are worth, and what is made of them."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.access import STAFF, only
from app.i18n import language_of, t
from app.parts.events import ASKED, LIGHT, on_open
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import heading, muted, panel
from app.parts.labeling import asked_for, for_learners, opened, results_charts, results_view
from app.parts.labeling.rounds_view import train_address
from app.parts.report_charts import report_charts
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.labeling import exports, projects, statistics
from studio_core.labeling.records import SHAPES, usual_shape
from studio_core.labeling.rounds import learners

NAME = "results"
ROLES = STAFF

# The file is fetched by its address, which says all that was chosen.
_DOWNLOAD = """(shape, votes, agreement) => {
    const project = document.querySelector('#label-screen-body')?.dataset.project;
    const asked = new URLSearchParams({ min_votes: votes ?? 1, min_agreement: (agreement ?? 0) / 100 });
    if (project) window.location.assign(`/api/label/${project}/export/${encodeURIComponent(shape)}?${asked}`);
}"""


def build(studio: Studio, tab: gr.Tab) -> None:
    refresh = gr.Button(t("labeling.refresh"), elem_id="label-refresh", scale=0, min_width=160)
    shown = panel("label-statistics")
    with gr.Column(elem_classes="ts-card", elem_id="label-export"):
        heading("labeling.export")
        with gr.Row():
            shape = gr.Dropdown(
                [(for_learners(f"labeling.shape_{name}", name), name) for name in SHAPES],
                label=t("labeling.shape"),
                elem_id="label-shape",
                scale=2,
            )
            votes = gr.Number(
                1,
                label=t("labeling.min_votes"),
                precision=0,
                minimum=1,
                maximum=20,
                elem_id="label-min-votes",
            )
            agreement = gr.Number(
                0,
                label=t("labeling.min_agreement"),
                precision=0,
                minimum=0,
                maximum=100,
                elem_id="label-min-agreement",
            )
        muted("labeling.min_agreement_help")
        with gr.Row():
            make = gr.Button(
                t("labeling.make_dataset"), variant="primary", elem_id="label-make", scale=0, min_width=300
            )
            download = gr.Button(t("labeling.download"), elem_id="label-download", scale=0, min_width=220)
        made = panel("label-made")
    charts = report_charts("label-charts")

    section = Results(studio, {"statistics": shown, "charts": charts, "shape": shape})
    asked = [shape, votes, agreement]
    on_open(section.open_results, [shown, charts, shape])
    tab.select(safely(section.statistics), None, [shown, charts], **LIGHT)
    refresh.click(safely(section.statistics), None, [shown, charts], **LIGHT)
    make.click(safely(section.dataset), asked, made, trigger_mode="once", **ASKED)
    download.click(None, asked, None, js=_DOWNLOAD)


class Results(Handlers):
    """What the section does when it is opened, and on its buttons."""

    def open_results(self, request: gr.Request) -> Any:
        """The shape that this project's votes usually become; figures only if they are in front."""
        if not request.query_params.get("project"):
            return gr.skip()
        shape = usual_shape(projects.root(self.studio, opened(self.studio, request)))
        figures = self.statistics(request) if asked_for(request, NAME, ROLES) else {}
        return {**figures, **self._updates(shape=shape)}

    @only(STAFF)
    def statistics(self, request: gr.Request) -> Updates:
        language = language_of(request)
        figures = statistics.of_project(self.studio, opened(self.studio, request).id)
        return self._updates(
            statistics=results_view.statistics(figures, language),
            charts=results_charts.payload(figures, language),
        )

    @only(STAFF)
    def dataset(self, request: gr.Request, shape: Any, votes: Any, agreement: Any) -> Markup:
        """The votes as versions of a dataset, with the way to train on them; a round's are its project's."""
        root = projects.root(self.studio, opened(self.studio, request))
        if shape == "audit":
            raise BadInput("labeling.audit_is_a_file")
        shape = str(shape or usual_shape(root))
        filters = {"min_votes": int(votes or 1), "min_agreement": float(agreement or 0) / 100}
        versions = exports.make_dataset(self.studio, root.id, shape, **filters)
        usual = next((method.name for method in learners(shape)), None)
        train = train_address(self.studio, root, versions[0], usual) if usual else ""
        return results_view.dataset_links(versions, train, language_of(request))
