"""The first page: what the studio is, where the reader stands in the loop, what to do next."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import quote, urlencode

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, say
from app.parts import run_view
from app.parts.events import ASKED, GO, every, on_open
from app.parts.handlers import safely
from app.parts.html import ago, badge, count, empty, html, join, number, panel, size, stat, table
from studio_core.base.studio import Studio
from studio_core.base.tables import Job, Model
from studio_core.machine.overview import Machine, Overview, machine, overview
from studio_core.models import registry
from studio_core.runs.engine_process import ensure_engine
from studio_core.training import recipes
from studio_core.training.recipes import Recipe

NAME = "home"
PATH = "/"

_TRAIN = """
element.addEventListener('click', (event) => {
	const button = event.target.closest('[data-recipe]');
	if (button) trigger('train', { recipe: button.dataset.recipe });
});
"""


def build(studio: Studio) -> None:
    body = panel("home-body", js_on_load=_TRAIN)
    shown, key, address = gr.State(""), gr.State(""), gr.Textbox(visible=False)

    def draw(before: str, request: gr.Request) -> tuple[Any, Any]:
        """The page, or nothing when it would be the same: a new one would take the focus away."""
        now = str(page(overview(studio), machine(studio), language_of(request)))
        return (gr.skip(), gr.skip()) if now == before else (now, now)

    def train_now(request: gr.Request, event: gr.EventData, once: str) -> str:
        """Queue the training of a recipe, and go to its run; to the form, if the plan has something against it."""
        asked = event._data if isinstance(event._data, dict) else {}
        name = str(asked.get("recipe", ""))
        job = recipes.start(studio, name, once or request.session_hash or "")
        if job is None:
            return _form(next(recipe for recipe in recipes.RECIPES if recipe.name == name))
        ensure_engine(studio)
        return f"/runs?run={job.id}"

    def first_key() -> str:
        return secrets.token_hex(8)

    on_open(draw, [body, shown], [shown])
    on_open(first_key, key)
    every(4, draw, [body, shown], [shown])
    body.train(safely(train_now), [key], [address], trigger_mode="once", **ASKED).then(
        None, js=GO, inputs=[address]
    )


def _form(recipe: Recipe) -> str:
    """The address of the Train page that shows a recipe."""
    return f"/train?{urlencode(recipe.wish)}"


def page(state: Overview, box: Machine, language: str) -> Markup:
    """All of the page: first steps before the first run, afterwards what is going on."""

    def said(key: str, **values: Any) -> str:
        return say(f"shell.home_{key}", language, **values)

    head = html('<header class="ts-head"><h1>{}</h1><p>{}</p></header>', said("title"), said("lead"))
    trials = _trials(said)
    panels = html(
        '<div class="ts-grid">{}{}</div>', _runs(state, said, language), _models(state, said, language)
    )
    order = [trials, panels] if state.runs == 0 else [panels, trials]
    return html(
        '<div class="ts-stack">{}</div>', join([head, _loop(state, said), *order, _machine(box, said)])
    )


def _loop(state: Overview, said: Any) -> Markup:
    """The five steps, each with what it holds now."""
    done = said("done", n=number(state.succeeded))
    watched = said("running", n=state.running) if state.running else done
    datasets = said("datasets", n=number(state.datasets), rows=number(state.rows))
    chats = said("chats", n=number(state.chats))
    if state.votes:
        chats = f"{chats} · {said('votes', n=number(state.votes))}"
    steps = [
        ("data", "/data", datasets, state.datasets),
        ("label", "/label", said("votes", n=number(state.labels)), state.projects),
        ("train", "/train", said("trained", n=number(state.trained)), state.trained),
        ("watch", "/runs", watched, state.runs),
        ("chat", "/chat", chats, state.chats),
    ]
    items = [
        html(
            '<li class="{}"><a href="{}"><span class="ts-step-title">{}</span>'
            '<span class="ts-step-text">{}</span><span class="ts-step-state">{}</span></a></li>',
            "ts-step-reached" if reached else "",
            path,
            said(f"step_{name}"),
            said(f"step_{name}_text"),
            now,
        )
        for name, path, now, reached in steps
    ]
    return html('<ol class="ts-loop" aria-label="{}">{}</ol>', said("loop"), join(items))


def _trials(said: Any) -> Markup:
    cards = [
        html(
            '<div class="ts-trial" id="try-{0}"><h3>{1}</h3><p>{2}</p><div class="ts-row">'
            '<button type="button" class="ts-button ts-button-primary" data-recipe="{0}">{3}</button>'
            '<a class="ts-button" href="{4}">{5}</a></div></div>',
            recipe.name,
            said(f"try_{recipe.name}"),
            said(f"try_{recipe.name}_text"),
            said("try_now"),
            _form(recipe),
            said("try_go"),
        )
        for recipe in recipes.RECIPES
    ]
    return html(
        '<section class="ts-card"><h2>{}</h2><p class="ts-muted">{}</p>'
        '<div class="ts-grid">{}</div></section>',
        said("try"),
        said("try_text"),
        join(cards),
    )


def _runs(state: Overview, said: Any, language: str) -> Markup:
    if not state.recent_runs:
        return html("<section><h2>{}</h2>{}</section>", said("runs"), empty(said("no_runs")))
    rows = [_run_row(job, state, said, language) for job in state.recent_runs]
    headers = [said("run"), said("state"), said("progress"), said("loss"), said("when")]
    more = html('<a href="/runs">{}</a>', said("all_runs"))
    return html("<section><h2>{} {}</h2>{}</section>", said("runs"), more, table(headers, rows))


def _run_row(job: Job, state: Overview, said: Any, language: str) -> list[Any]:
    done = f"{100 * job.step / job.total_steps:.0f}%" if job.total_steps else ""
    latest = state.recent_means.get(job.id)
    loss = latest.means.get("loss") if latest else None
    return [
        run_view.named(job, language),
        badge(job.state, language, job.cause),
        done,
        number(loss) if loss is not None else "",
        ago(job.finished_at or job.started_at or job.submitted_at, language),
    ]


def _models(state: Overview, said: Any, language: str) -> Markup:
    more = html('<a href="/models">{}</a>', said("all_models", n=number(state.models)))
    if not state.recent_models:
        body: Markup = empty(said("no_models"))
    else:
        rows = [_model_row(model, said, language) for model in state.recent_models]
        body = table([said("model"), said("size"), said("when"), said("next")], rows)
    return html("<section><h2>{} {}</h2>{}</section>", said("models"), more, body)


def _model_row(model: Model, said: Any, language: str) -> list[Any]:
    further = html('<a href="/chat?run={}">{}</a>', model.job_id, said("compare"))
    if registry.scores(model):
        address = f"/train?model={quote(model.name, safe='')}"
        further = html('<a href="{}">{}</a>', address, say("shell.models_train_further", language))
    return [model.name, count(model.parameters), ago(model.created_at, language), further]


def _machine(box: Machine, said: Any) -> Markup:
    gpus = [stat(gpu.label, size(gpu.memory) if gpu.memory else "") for gpu in box.gpus]
    if not gpus:
        gpus = [stat(said("gpu"), said("no_gpu"), said("no_gpu_text"))]
    figures = [
        stat(said("cores"), number(box.cores)),
        stat(said("memory"), size(box.memory), said("free", size=size(box.memory_free))),
        stat(said("disk"), size(box.disk_free), said("disk_text")),
        *gpus,
    ]
    return html(
        '<section class="ts-card"><h2>{}</h2><div class="ts-figures">{}</div></section>',
        said("machine"),
        join(figures),
    )
