"""The first page: what the studio is, where the reader stands in the loop, what to do next."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import quote, urlencode

import gradio as gr
from markupsafe import Markup

from app.i18n import Phrase, language_of, phrases, say
from app.parts import run_words
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

    def draw(before: str, request: gr.Request) -> Any:
        """The page, or nothing when it would be the same: a new one would take the focus away."""
        now = str(page(overview(studio), machine(studio), language_of(request)))
        return gr.skip() if now == before else {body: now, shown: now}

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
    phrase = phrases("shell.home_", language)
    head = html('<header class="ts-head"><h1>{}</h1><p>{}</p></header>', phrase("title"), phrase("lead"))
    trials = _trials(phrase)
    panels = html(
        '<div class="ts-grid">{}{}</div>', _runs(state, phrase, language), _models(state, phrase, language)
    )
    order = [trials, panels] if state.runs == 0 else [panels, trials]
    return html(
        '<div class="ts-stack">{}</div>', join([head, _loop(state, phrase), *order, _machine(box, phrase)])
    )


def _loop(state: Overview, phrase: Phrase) -> Markup:
    """The five steps, each with what it holds now."""
    done = phrase("done", n=number(state.succeeded))
    watched = phrase("running", n=state.running) if state.running else done
    datasets = phrase("datasets", n=number(state.datasets), rows=number(state.rows))
    chats = phrase("chats", n=number(state.chats))
    if state.votes:
        chats = f"{chats} · {phrase('votes', n=number(state.votes))}"
    steps = [
        ("data", "/data", datasets, state.datasets),
        ("label", "/label", phrase("votes", n=number(state.labels)), state.projects),
        ("train", "/train", phrase("trained", n=number(state.trained)), state.trained),
        ("watch", "/runs", watched, state.runs),
        ("chat", "/chat", chats, state.chats),
    ]
    items = [
        html(
            '<li class="{}"><a href="{}"><span class="ts-step-title">{}</span>'
            '<span class="ts-step-text">{}</span><span class="ts-step-state">{}</span></a></li>',
            "ts-step-reached" if reached else "",
            path,
            phrase(f"step_{name}"),
            phrase(f"step_{name}_text"),
            now,
        )
        for name, path, now, reached in steps
    ]
    return html('<ol class="ts-loop" aria-label="{}">{}</ol>', phrase("loop"), join(items))


def _trials(phrase: Phrase) -> Markup:
    cards = [
        html(
            '<div class="ts-trial" id="try-{0}"><h3>{1}</h3><p>{2}</p><div class="ts-row">'
            '<button type="button" class="ts-button ts-button-primary" data-recipe="{0}">{3}</button>'
            '<a class="ts-button" href="{4}">{5}</a></div></div>',
            recipe.name,
            phrase(f"try_{recipe.name}"),
            phrase(f"try_{recipe.name}_text"),
            phrase("try_now"),
            _form(recipe),
            phrase("try_go"),
        )
        for recipe in recipes.RECIPES
    ]
    return html(
        '<section class="ts-card"><h2>{}</h2><p class="ts-muted">{}</p>'
        '<div class="ts-grid">{}</div></section>',
        phrase("try"),
        phrase("try_text"),
        join(cards),
    )


def _runs(state: Overview, phrase: Phrase, language: str) -> Markup:
    if not state.recent_runs:
        return html("<section><h2>{}</h2>{}</section>", phrase("runs"), empty(phrase("no_runs")))
    rows = [_run_row(job, state, phrase, language) for job in state.recent_runs]
    headers = [phrase("run"), phrase("state"), phrase("progress"), phrase("loss"), phrase("when")]
    more = html('<a href="/runs">{}</a>', phrase("all_runs"))
    return html("<section><h2>{} {}</h2>{}</section>", phrase("runs"), more, table(headers, rows))


def _run_row(job: Job, state: Overview, phrase: Phrase, language: str) -> list[Any]:
    done = f"{100 * job.step / job.total_steps:.0f}%" if job.total_steps else ""
    latest = state.recent_means.get(job.id)
    loss = latest.means.get("loss") if latest else None
    return [
        run_words.named(job, language),
        badge(job.state, language, job.cause),
        done,
        number(loss) if loss is not None else "",
        ago(job.finished_at or job.started_at or job.submitted_at, language),
    ]


def _models(state: Overview, phrase: Phrase, language: str) -> Markup:
    more = html('<a href="/models">{}</a>', phrase("all_models", n=number(state.models)))
    if not state.recent_models:
        body: Markup = empty(phrase("no_models"))
    else:
        rows = [_model_row(model, phrase, language) for model in state.recent_models]
        body = table([phrase("model"), phrase("size"), phrase("when"), phrase("next")], rows)
    return html("<section><h2>{} {}</h2>{}</section>", phrase("models"), more, body)


def _model_row(model: Model, phrase: Phrase, language: str) -> list[Any]:
    further = html('<a href="/chat?run={}">{}</a>', model.job_id, phrase("compare"))
    if registry.scores(model):
        address = f"/train?model={quote(model.name, safe='')}"
        further = html('<a href="{}">{}</a>', address, say("shell.models_train_further", language))
    return [model.name, count(model.parameters), ago(model.created_at, language), further]


def _machine(box: Machine, phrase: Phrase) -> Markup:
    gpus = [stat(gpu.label, size(gpu.memory) if gpu.memory else "") for gpu in box.gpus]
    if not gpus:
        gpus = [stat(phrase("gpu"), phrase("no_gpu"), phrase("no_gpu_text"))]
    figures = [
        stat(phrase("cores"), number(box.cores)),
        stat(phrase("memory"), size(box.memory), phrase("free", size=size(box.memory_free))),
        stat(phrase("disk"), size(box.disk_free), phrase("disk_text")),
        *gpus,
    ]
    return html(
        '<section class="ts-card"><h2>{}</h2><div class="ts-figures">{}</div></section>',
        phrase("machine"),
        join(figures),
    )
