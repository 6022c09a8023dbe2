"""The Runs page of one sweep: ``/runs?sweep=NAME``, and the form of a new one: ``/runs?sweep=new&from=12``."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import gradio as gr

from app.i18n import language_of, say, t
from app.parts import sweep_view
from app.parts.events import ASKED, GO, LIGHT, on_open, typed
from app.parts.handlers import Handlers, Updates, safely, sentence_of
from app.parts.html import html, notice, panel
from studio_core import training
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.states import TERMINAL
from studio_core.base.studio import Studio
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.spec import TrainSpec
from studio_core.training import standings, sweeps
from studio_core.training.sampling import LEARNS, SAMPLERS
from studio_core.training.sweeps import SweepSpec

EVERY = 3.0
NEW = "new"
FORM = ("values", "pairing", "trials", "seeds")
"""The fields of a new sweep."""
TOLD = ("plan", "start", "trials", "seeds")
"""What follows them."""


def build(studio: Studio) -> None:
    with gr.Column(visible=False, elem_id="sweep") as place:
        parts: dict[str, Any] = {"head": panel("sweep-head")}
        with gr.Column(visible=False, elem_id="sweep-form") as parts["form"]:
            parts |= form()
        parts["parallel"] = panel("sweep-parallel")
        parts["table"] = panel("sweep-table")
        with gr.Column(visible=False, elem_id="sweep-acts") as parts["acts"]:
            parts |= _acts()
    parts |= {"place": place, "slow": gr.Timer(EVERY, active=False), "key": gr.State("")}
    page = SweepPage(studio, parts)
    on_open(page.sweep, list(parts.values()))
    live = [parts[name] for name in ("head", "parallel", "table", "slow")]
    parts["slow"].tick(page.watched, outputs=live, **LIGHT)
    given, address = [parts[name] for name in FORM], gr.Textbox(visible=False)
    told = [parts[name] for name in TOLD]
    gr.on(typed(given), page.planned, inputs=given, outputs=told, **LIGHT)
    parts["start"].click(
        page.started, inputs=[*given, parts["key"]], outputs=[address], trigger_mode="once", **ASKED
    ).then(None, js=GO, inputs=[address])
    parts["stop"].click(page.stopped, inputs=[parts["keep"]], outputs=live, trigger_mode="once", **ASKED)
    cloned = [parts["run"], parts["changes"]]
    parts["clone"].click(page.cloned, inputs=cloned, outputs=live, trigger_mode="once", **ASKED)


def form() -> dict[str, Any]:
    """Values, pairing and seeds, the plan, and the button that starts it."""
    parts: dict[str, Any] = {
        "values": gr.Textbox(
            label=t("sweeps.values"), info=t("sweeps.values_help"), lines=4, elem_id="sweep-values"
        )
    }
    parts["pairing"] = gr.Radio(
        [(t(f"sweeps.{pairing}"), pairing) for pairing in ("grid", "list", *SAMPLERS)],
        value="grid",
        label=t("sweeps.pairing"),
        elem_id="sweep-pairing",
    )
    with gr.Row():
        parts["trials"] = gr.Number(
            20,
            label=t("sweeps.trials"),
            precision=0,
            minimum=1,
            maximum=sweeps.MOST_RUNS,
            visible=False,
            elem_id="sweep-trials",
        )
        parts["seeds"] = gr.Number(
            1, label=t("sweeps.seeds"), precision=0, minimum=1, maximum=20, elem_id="sweep-seeds"
        )
    parts["plan"] = panel("sweep-plan")
    parts["start"] = gr.Button(t("sweeps.start"), variant="primary", interactive=False, elem_id="sweep-start")
    return parts


def asked(run: TrainSpec, values: str, pairing: str, trials: float | None, seeds: float | None) -> SweepSpec:
    """The sweep that the form describes; raises ``BadInput`` with what is wrong in it."""
    more = {"trials": int(trials or 0)} if pairing in SAMPLERS else {}
    # The field of the seeds is hidden where there can be one only.
    count = 1 if pairing == LEARNS else int(seeds or 1)
    return sweeps.spec_of(run, sweeps.read(values), pairing, count, **more)


def planned(
    studio: Studio,
    run: Callable[[], TrainSpec],
    values: str,
    pairing: str,
    language: str,
    *counts: float | None,
) -> dict[str, Any]:
    """The fields that the way of combining has, and what the sweep would do; ``counts`` are trials and seeds.

    A fault of the form is said where the plan stands, while it is typed.
    """
    fields = {
        "trials": gr.update(visible=pairing in SAMPLERS),
        "seeds": gr.update(visible=pairing != LEARNS),
    }
    try:
        told = sweeps.plan(studio, asked(run(), values, pairing, *counts))
    except StudioError as error:
        refused = notice("info", sentence_of(error, language))
        return {**fields, "plan": refused, "start": gr.update(interactive=False)}
    start = gr.update(interactive=told.ready)
    return {**fields, "plan": sweep_view.plan(told, language), "start": start}


def _acts() -> dict[str, Any]:
    parts: dict[str, Any] = {}
    with gr.Row(elem_classes="ts-sweep-act"):
        parts["keep"] = gr.Number(1, label=t("sweeps.keep"), precision=0, minimum=1, elem_id="sweep-keep")
        parts["stop"] = gr.Button(t("sweeps.stop"), elem_id="sweep-stop")
    with gr.Row(elem_classes="ts-sweep-act"):
        parts["run"] = gr.Number(
            None, label=t("sweeps.clone_run"), precision=0, minimum=1, elem_id="sweep-run"
        )
        parts["changes"] = gr.Textbox(
            label=t("sweeps.changes"), placeholder="learning_rate = 2e-4", lines=1, elem_id="sweep-changes"
        )
        parts["clone"] = gr.Button(t("sweeps.clone"), elem_id="sweep-clone")
    return parts


class SweepPage(Handlers):
    """What it does on load, on a tick, and on its buttons. Which sweep it is, its address says."""

    @safely
    def sweep(self, request: gr.Request) -> Any:
        name, language = str(request.query_params.get("sweep", "")), language_of(request)
        if not name:
            return gr.skip()
        place = self._updates(place=gr.update(visible=True))
        try:
            if name == NEW:
                return {**place, **self._new(request)}
            drawn = self._drawn(request)
            best = (
                standings.table(self.studio, sweeps.jobs(self.studio, name), self._metric(request))
                .rows[0]
                .jobs[0]
            )
            return {**place, **drawn, **self._updates(acts=gr.update(visible=True), run=best.id)}
        except StudioError as error:
            back = html('<p><a class="ts-button" href="/runs">{}</a></p>', say("runs.all", language))
            return {
                **place,
                **self._updates(head=html("{}{}", notice("warn", error.sentence(language)), back)),
            }

    def _new(self, request: gr.Request) -> Updates:
        language, job = language_of(request), self._base(request)
        head = html(
            '<div class="ts-row"><a class="ts-muted" href="/runs?run={0}">← {0} · {1}</a></div>'
            "<h1>{2}</h1><p>{3}</p>{4}",
            job,
            training.duplicate(self.studio, job).method.upper(),
            say("sweeps.new", language),
            say("sweeps.new_text", language, run=job),
            sweep_view.others(sweeps.newest(self.studio), language),
        )
        return self._updates(head=head, form=gr.update(visible=True), key=secrets.token_hex(8))

    @safely
    def watched(self, request: gr.Request) -> Any:
        name = str(request.query_params.get("sweep", ""))
        return gr.skip() if name in ("", NEW) else self._drawn(request)

    @safely
    def planned(
        self, request: gr.Request, values: str, pairing: str, trials: float | None, seeds: float | None
    ) -> Updates:
        told = planned(
            self.studio, lambda: self._run(request), values, pairing, language_of(request), trials, seeds
        )
        return self._updates(**told)

    @safely
    def started(
        self,
        request: gr.Request,
        values: str,
        pairing: str,
        trials: float | None,
        seeds: float | None,
        key: str,
    ) -> str:
        spec = asked(self._run(request), values, pairing, trials, seeds)
        name = sweeps.start(self.studio, spec, key or None)
        ensure_engine(self.studio)
        return f"/runs?sweep={name}"

    @safely
    def stopped(self, request: gr.Request, keep: float | None) -> Updates:
        jobs = sweeps.jobs(self.studio, str(request.query_params.get("sweep", "")))
        standings.stop_losers(self.studio, jobs, int(keep or 0), self._metric(request))
        return self._drawn(request)

    @safely
    def cloned(self, request: gr.Request, run: float | None, changes: str) -> Updates:
        single = {
            name: values[0] for name, values in sweeps.read(changes.replace(";", "\n")).items() if values
        }
        sweeps.clone(self.studio, str(request.query_params.get("sweep", "")), int(run or 0), single)
        ensure_engine(self.studio)
        return self._drawn(request)

    def _run(self, request: gr.Request) -> TrainSpec:
        return training.duplicate(self.studio, self._base(request))

    def _base(self, request: gr.Request) -> int:
        asked = str(request.query_params.get("from", ""))
        if not (asked.isascii() and asked.isdigit() and len(asked) < 16):
            raise BadInput("comparison.bad_address", value=asked[:80])
        return int(asked)

    def _metric(self, request: gr.Request) -> str:
        return str(request.query_params.get("metric", ""))

    def _drawn(self, request: gr.Request) -> Updates:
        name, language = str(request.query_params.get("sweep", "")), language_of(request)
        jobs = sweeps.jobs(self.studio, name)
        table = standings.table(self.studio, jobs, self._metric(request))
        return self._updates(
            head=sweep_view.head(name, jobs, language),
            parallel=sweep_view.parallel(table, language),
            table=sweep_view.standings(name, table, language, str(request.query_params.get("baseline", ""))),
            slow=gr.Timer(active=any(job.state not in TERMINAL for job in jobs)),
        )
