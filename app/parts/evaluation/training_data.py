"""Items of an evaluation that stand in the data that led to a model, and the value without them.

Asked by a click, since it reads that data whole.
"""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, say, t
from app.parts.evaluation.asked import asked_job
from app.parts.events import ASKED
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import NOTHING, html, notice, number, panel, table
from studio_core.base.studio import Studio
from studio_core.base.tables import Evaluation
from studio_core.evaluation import browsing, contamination, results
from studio_core.evaluation.sentences import figure


def build(studio: Studio) -> None:
    button = gr.Button(t("evaluation.contamination"), elem_id="evaluation-contamination", scale=0)
    shown = panel("evaluation-contaminated")
    section = TrainingData(studio, {"shown": shown})
    button.click(safely(section.looked), None, [shown], trigger_mode="once", concurrency_limit=1, **ASKED)


class TrainingData(Handlers):
    def looked(self, request: gr.Request) -> Updates:
        job, language = asked_job(self.studio, request), language_of(request)
        rows = (
            [_row(self.studio, each, language) for each in results.of_job(self.studio, job.id)] if job else []
        )
        heads = [
            say(f"evaluation.{name}", language)
            for name in ("suite", "col_model", "trained_on", "value_without")
        ]
        lead = html('<p class="ts-muted">{}</p>', say("evaluation.contamination_help", language))
        return self._updates(shown=html("{}{}", lead, table(heads, rows)))


def _row(studio: Studio, each: Evaluation, language: str) -> list[Any]:
    told = contamination.of(studio, each)
    unit = each.figures.get("unit", "share")
    without = contamination.value_without(studio, each, told.items)
    both = say(
        "evaluation.with_and_without",
        language,
        value=figure(each.value, unit),
        without=figure(without, unit) if without is not None else NOTHING,
    )
    of = say("evaluation.trained_on_of", language, n=len(told.items), items=number(each.figures["items"]))
    gone = (
        notice("warn", say("evaluation.data_gone", language, names=", ".join(told.gone)))
        if told.gone
        else Markup()
    )
    known = of if told.datasets else say("evaluation.no_trainings", language)
    return [
        browsing.title(each.suite, language),
        each.model,
        html("{}{}", known, gone),
        both if told.items else NOTHING,
    ]
