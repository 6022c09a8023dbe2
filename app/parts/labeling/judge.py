"""Judge: a model that says in advance which answer is better, and how far it agrees with people."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.access import STAFF, only
from app.i18n import language_of, phrases, say, t
from app.parts import run_words
from app.parts.events import ASKED, LIGHT, on_open
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import badge, heading, html, join, number, panel
from app.parts.labeling import asked_for, opened, who
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.generation import judging
from studio_core.labeling import changing, judges
from studio_core.labeling.judges import Judge
from studio_core.labeling.projects import settings_of
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.reasons import waiting_reason
from studio_core.statistics.agreement_rate import SHARED

NAME = "judge"
ROLES = STAFF
AGAIN = 2.0
"""Seconds between two looks while a judge is at work."""


def build(studio: Studio, tab: gr.Tab) -> None:
    judges = panel("label-judges")
    use = gr.Checkbox(
        label=t("labeling.judge_use"), info=t("labeling.judge_use_help"), elem_id="label-judge-use"
    )
    with gr.Column(elem_classes="ts-card", elem_id="label-judge-new"):
        heading("labeling.judge_new")
        with gr.Row():
            asked = gr.Dropdown([], label=t("labeling.judge_who"), elem_id="label-judge-who")
            name = gr.Textbox(
                label=t("labeling.judge_name"),
                placeholder=t("labeling.judge_name_help"),
                max_lines=1,
                elem_id="label-judge-name",
            )
        rubric = gr.Textbox(
            label=t("labeling.judge_rubric"),
            placeholder=judging.RUBRIC,
            lines=2,
            elem_id="label-judge-rubric",
        )
        start = gr.Button(t("labeling.judge_start"), variant="primary", elem_id="label-judge-start")
    timer = gr.Timer(AGAIN, active=False)

    section = JudgeSection(studio, {"judges": judges, "use": use, "timer": timer, "who": asked})
    shown = [judges, use, timer]
    on_open(section.open_judges, [*shown, asked])
    tab.select(safely(section.judges_first), None, [*shown, asked], **LIGHT)
    timer.tick(safely(section.judges_shown), None, shown, **LIGHT)
    start.click(safely(section.judge_started), [asked, name, rubric], shown, trigger_mode="once", **ASKED)
    # Asked again afterwards: a box that may not be ticked goes back.
    use.input(safely(section.judges_used), use, None, trigger_mode="once", **ASKED).then(
        safely(section.judges_shown), None, shown, **LIGHT
    )


class JudgeSection(Handlers):
    """What the section does when it is opened, on a tick, and on its fields."""

    def open_judges(self, request: gr.Request) -> Any:
        return self.judges_first(request) if asked_for(request, NAME, ROLES) else gr.skip()

    @only(STAFF)
    def judges_first(self, request: gr.Request) -> Updates:
        choices = who.judges(self.studio, language_of(request))
        return {**self.judges_shown(request), **self._updates(who=gr.Dropdown(choices=choices))}

    @only(STAFF)
    def judges_shown(self, request: gr.Request) -> Updates:
        project, language = opened(self.studio, request), language_of(request)
        jobs = judges.jobs_of(self.studio, project)
        cards = [card(judge, language) for judge in judges.of_project(self.studio, project)]
        body = html(
            '<div class="ts-stack"><p class="ts-muted">{}</p>{}{}</div>',
            say("labeling.judge_lead", language, needed=SHARED),
            join(self._at_work(job, language) for job in jobs),
            join(cards),
        )
        using = settings_of(project).judges
        return self._updates(
            judges=body,
            use=gr.Checkbox(value=using, visible=bool(cards) or using),
            timer=gr.Timer(active=bool(jobs)),
        )

    def _at_work(self, job: Job, language: str) -> Markup:
        link = html(
            '<a href="/runs?run={}">{}</a>', job.id, say("labeling.making_link", language, job=job.id)
        )
        return html(
            '<div class="ts-label-making"><p>{} {} <span class="ts-muted">{} · {}</span></p>'
            '<div class="ts-label-making-bar">{}</div></div>',
            badge(job.state, language, job.cause),
            say("labeling.judge_at_work", language, judge=job.spec["options"]["name"]),
            waiting_reason(self.studio, job, language),
            link,
            run_words.bar(job, language) if job.total_steps else "",
        )

    @only(STAFF)
    def judge_started(self, request: gr.Request, asked: str | None, name: str, rubric: str) -> Updates:
        # The list is empty where there is neither a model nor a service.
        if not asked:
            raise BadInput("labeling.judge_nobody")
        project = opened(self.studio, request)
        named = {"name": str(name or ""), "rubric": str(rubric or "")}
        judges.start(self.studio, project.id, **who.named(asked), **named)
        ensure_engine(self.studio)
        return self.judges_shown(request)

    @only(STAFF)
    def judges_used(self, request: gr.Request, wanted: bool) -> None:
        changing.change(self.studio, opened(self.studio, request).id, {"judges": bool(wanted)})


def card(judge: Judge, language: str) -> Markup:
    """One judge: what it said, how far people agree, and whether its labels may be used."""
    phrase = phrases("labeling.judge_", language)
    counts = {name: number(judge.counts.get(name, 0)) for name in ("a", "b", "tie", "both_bad")}
    return html(
        '<article class="ts-card" data-judge="{0}"><h2>{0} <span class="ts-badge">{1}</span></h2><p>{2}</p>'
        '<p class="ts-muted">{3}</p></article>',
        judge.name,
        phrase("measured" if not judge.missing else "unknown"),
        agreement(judge, language),
        phrase("counts", judged=number(sum(judge.counts.values())), swayed=number(judge.swayed), **counts),
    )


def agreement(judge: Judge, language: str) -> str:
    """In words, with its interval."""
    share = judge.agreement
    if judge.missing or share.rate is None:
        return say("labeling.judge_missing", language, shared=share.of, missing=judge.missing)
    sentence = say(
        "labeling.judge_agrees",
        language,
        count=number(share.count),
        of=number(share.of),
        percent=f"{100 * share.rate:.0f}",
        low=f"{100 * share.low:.0f}",
        high=f"{100 * share.high:.0f}",
    )
    if judge.kappa is None:
        return sentence
    return f"{sentence} {say('labeling.judge_kappa', language, kappa=f'{judge.kappa:.2f}')}"
