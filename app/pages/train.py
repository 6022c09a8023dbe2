"""Train: choose a method, a model and data; see what would happen; start it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup, escape

from app.i18n import language_of, say, t
from app.parts import plan_card, train_form
from app.parts.events import ASKED, LIGHT, on_open
from app.parts.handlers import safely
from app.parts.html import empty, html, join, notice
from app.parts.options_form import OptionsForm, options_form
from app.parts.train_form import TUNINGS
from studio_core import queue, training
from studio_core.data import store
from studio_core.engine_process import ensure_engine
from studio_core.errors import NotFound, StudioError
from studio_core.methods import METHODS, writes
from studio_core.methods.base import PRESETS
from studio_core.models import registry
from studio_core.spec import TrainSpec
from studio_core.states import State
from studio_core.studio import Studio
from studio_core.tables import Dataset
from studio_core.training import several_gpus

NAME = "train"
PATH = "/train"


def build(studio: Studio) -> None:
    gr.Markdown(f"# {t('train.title')}", elem_classes="ts-head")
    gr.Markdown(t("train.lead"), elem_classes="ts-head ts-muted")
    with gr.Row(elem_classes="ts-train"):
        with gr.Column(scale=3, min_width=360):
            basics, adding = train_form.basics()
            gr.Markdown(f"### {t('train.options')}")
            forms = {
                name: options_form(method, visible=name == "sft", prefix="train-opt")
                for name, method in METHODS.items()
            }
            rest = train_form.rest()
        with gr.Column(scale=2, min_width=320, elem_classes="ts-train-side"):
            card = gr.HTML(apply_default_css=False, elem_id="train-plan")
            start = gr.Button(
                t("train.start"), variant="primary", interactive=False, elem_id="train-start", size="lg"
            )
            message = gr.HTML(apply_default_css=False, elem_id="train-message")
    parts = {**basics, **rest}
    shared = [parts[name] for name in train_form.NAMES]
    options = [component for form in forms.values() for component in form.components]
    groups = [form.group for form in forms.values()]
    key, presets = gr.State(""), gr.State({})
    page = TrainPage(studio, forms)

    steering = ("method", "tuning", "model", "preset")
    planned: dict[str, Any] = {
        "fn": page.changed,
        "inputs": [*shared, *options],
        # Not the message: a late plan would take away what the click was told.
        "outputs": [card, start, key],
        "trigger_mode": "always_last",
        **LIGHT,
    }
    on_open(page.opened, [*shared, *options, *groups, adding["unfit"], card, start, key, presets])
    # What steers others is planned for after those have followed: together with a dataset that the new method
    # does not offer, Gradio would refuse the form.
    gr.on(
        [parts[name].input for name in steering],
        page.chosen,
        inputs=[*shared, *options, presets],
        outputs=[
            *(parts[name] for name in ("method", "tuning", "preset", "dataset", "prompts")),
            adding["unfit"],
            *groups,
            *options,
            presets,
        ],
        trigger_mode="always_last",
        **LIGHT,
    ).then(**planned)
    others = [part for name, part in parts.items() if name not in steering]
    gr.on([part.change for part in [*others, *options]], **planned)
    start.click(
        page.started,
        inputs=[*shared, *options, key],
        outputs=[message],
        trigger_mode="once",
        **ASKED,
    )
    adding["add"].click(
        page.added,
        inputs=[adding["source"], adding["trust"]],
        outputs=[parts["model"], adding["source"]],
        trigger_mode="once",
        api_visibility="private",
    ).then(**planned)


class TrainPage:
    """What the page does on load, on a choice, on any change, and on the click."""

    def __init__(self, studio: Studio, forms: dict[str, OptionsForm]) -> None:
        self.studio = studio
        self.forms = forms

    @safely
    def opened(self, request: gr.Request) -> list[Any]:
        """Fill the form: with what the address asks for, else with what a first try needs."""
        registry.ensure_demo_models(self.studio)
        language = language_of(request)
        try:
            spec = self._asked(dict(request.query_params))
        except StudioError as error:  # The address names what is not there; the form is of use all the same.
            gr.Warning(str(escape(error.sentence(language))))
            spec = self._first({})
        return self._filled(spec, language)

    def _asked(self, query: dict[str, str]) -> TrainSpec:
        job = query.get("duplicate", "")
        if job.isascii() and job.isdigit() and len(job) < 16:
            return training.duplicate(self.studio, int(job))
        return self._first(query)

    def _first(self, query: dict[str, str]) -> TrainSpec:
        method = query.get("method", "")
        if method not in METHODS:
            method = self._method_for(query.get("dataset", ""), query.get("model", ""))
        fitting = [_address(d) for d, reason in training.fitting_datasets(self.studio, method) if not reason]
        models = [model.name for model in registry.writers(self.studio)]
        preferred = "tiny-base" if method == "sft" else "tiny-chat"
        model = query.get("model") or (preferred if preferred in models else next(iter(models), ""))
        dataset = query.get("dataset", "")
        named = [name for name in fitting if dataset in (name, name.rpartition("@")[0])]
        tuning = query.get("tuning") if query.get("tuning") in TUNINGS else "full"
        wanted = {
            "method": method,
            "model": model,
            "dataset": next(iter(named or ([] if dataset else fitting)), ""),
            "tuning": METHODS[method].nearest(str(tuning)),
            "preset": query.get("preset") if query.get("preset") in PRESETS else "balanced",
        }
        return training.spec_from(wanted)

    def _method_for(self, dataset: str, model: str) -> str:
        """The first method that takes the dataset; for a model that scores, the one that trains such."""
        try:
            if model and training.scores(self.studio, model):
                return next(name for name, method in METHODS.items() if not method.writes)
        except NotFound:  # The form is of use without the model that is asked for, and the plan says so.
            pass
        if not dataset:
            return "sft"
        shape = store.get(self.studio, dataset).shape
        return next((name for name, method in METHODS.items() if shape in method.shapes), "sft")

    def _filled(self, spec: TrainSpec, language: str) -> list[Any]:
        models = self._models(language)
        known = [value for _, value in models]
        datasets, unfit = self._datasets(spec.method, language)
        presets = {name: self._preset(name, spec) for name in self.forms}
        values = {**presets[spec.method], **spec.options}
        several = max(spec.gpus, several_gpus.count(queue.devices(self.studio))) > 1
        basics = [
            gr.update(value=spec.method, info=t(f"methods.{spec.method}.help")),
            self._tunings(spec.method, spec.tuning),
            gr.update(choices=models, value=spec.model if spec.model in known else None),
            gr.update(choices=datasets, value=spec.dataset if spec.dataset in datasets else None),
            gr.update(value=spec.preset, info=t(f"methods.preset.{spec.preset}.help")),
            gr.update(
                value="\n".join(prompt.replace("\n", "\\n") for prompt in spec.prompts),
                visible=METHODS[spec.method].writes,
            ),
            spec.name,
            spec.seed,
            spec.device,
            spec.priority,
            spec.time_limit,
            gr.update(value=spec.gpus, visible=several),
            gr.update(value=spec.parallel, visible=several),
        ]
        options: list[Any] = []
        for name, form in self.forms.items():
            options += form.shown(values if name == spec.method else presets[name], spec.tuning)
        plan = training.plan(self.studio, spec)
        return [
            *basics,
            *options,
            *self._groups(spec.method),
            unfit,
            plan_card.card(plan, language),
            gr.update(interactive=plan.ready),
            secrets.token_hex(8),
            presets,
        ]

    @safely
    def chosen(self, request: gr.Request, *given: Any) -> list[Any]:
        """Another method, tuning, model or preset: its starting values take the place of the old ones.

        An option that both presets set alike keeps what the user put there.
        """
        *values, before = given
        basics, options = self._split(values)
        language = language_of(request)
        method, tuning, preset = self._known(basics)
        tuning = METHODS[method].nearest(tuning)
        spec = TrainSpec(
            method=method,
            tuning=tuning,
            preset=preset,
            model=basics["model"] or "",
            dataset=basics["dataset"] or "",
        )
        datasets, unfit = self._datasets(method, language)
        presets = {name: self._preset(name, spec) for name in self.forms}
        updates: list[Any] = []
        for name, form in self.forms.items():
            old = (before or {}).get(name, {})
            now = form.values(options[name])
            kept = {option: now[option] for option in now if old.get(option) == presets[name].get(option)}
            updates += form.shown({**presets[name], **kept}, tuning)
        return [
            gr.update(info=t(f"methods.{method}.help")),
            self._tunings(method, tuning),
            gr.update(info=t(f"methods.preset.{preset}.help")),
            gr.update(choices=datasets, value=spec.dataset if spec.dataset in datasets else None),
            gr.update(visible=METHODS[method].writes),
            unfit,
            *self._groups(method),
            *updates,
            presets,
        ]

    @safely
    def changed(self, request: gr.Request, *values: Any) -> list[Any]:
        """The plan for what the form says now. A changed form is a new wish: it gets a new key.

        Fields also change while the page is being built. They must not be answered: the plan of a form that is
        still empty would say that everything is missing, after the plan of the filled form has been shown.
        """
        basics, _options = self._split(values)
        if basics["preset"] is None:
            return [gr.skip(), gr.skip(), gr.skip()]
        language = language_of(request)
        try:
            plan = training.plan(self.studio, self._spec(values))
            drawn, ready = plan_card.card(plan, language), plan.ready
        except StudioError as error:
            drawn, ready = plan_card.refused(error, language), False
        return [drawn, gr.update(interactive=ready), secrets.token_hex(8)]

    @safely
    def started(self, request: gr.Request, *given: Any) -> Markup:
        """One click, one job: the same key twice gives the same job."""
        *values, key = given
        language = language_of(request)
        job = training.submit(self.studio, self._spec(values), key=key or request.session_hash)
        ensure_engine(self.studio)
        if job.state == State.QUEUED:
            place = queue.position(self.studio, job)
            text = say("train.queued", language, run=job.id, name=job.name, place=place)
        else:
            text = say("train.under_way", language, run=job.id, name=job.name)
        link = html('<a href="/runs?run={}">{}</a>', job.id, say("train.watch", language))
        return notice("good", html("{} {}", text, link))

    @safely
    def added(self, request: gr.Request, source: str, trust: bool) -> list[Any]:
        model = registry.add(self.studio, source or "", trust_remote_code=bool(trust))
        language = language_of(request)
        gr.Info(str(escape(say("train.added", language, model=model.name))))
        return [gr.update(choices=self._models(language), value=model.name), ""]

    def _models(self, language: str) -> list[tuple[str, str]]:
        """Every model by its name, and what the runs that have not ended yet will make."""
        there = [
            (say("train.model_scores", language, model=model.name), model.name)
            if registry.scores(model)
            else (model.name, model.name)
            for model in registry.all_models(self.studio)
        ]
        runs = [*queue.live(self.studio), *queue.waiting(self.studio)]
        to_come = [
            (say("train.model_to_come", language, run=job.id, name=job.name), job)
            for job in runs
            if job.kind == "train"
        ]
        return there + [
            (
                label if writes(job.method) else say("train.model_scores", language, model=label),
                f"run:{job.id}",
            )
            for label, job in to_come
        ]

    def _split(self, values: Sequence[Any]) -> tuple[dict[str, Any], dict[str, list[Any]]]:
        """The form's values: what all methods share by name, and the options of each method."""
        basics = dict(zip(train_form.NAMES, values, strict=False))
        options, at = {}, len(train_form.NAMES)
        for name, form in self.forms.items():
            options[name] = list(values[at : at + len(form.components)])
            at += len(form.components)
        return basics, options

    def _spec(self, values: Sequence[Any]) -> TrainSpec:
        basics, options = self._split(values)
        method, _tuning, _preset = self._known(basics)
        prompts = [line.strip().replace("\\n", "\n") for line in (basics["prompts"] or "").splitlines()]
        spec = training.spec_from(
            {
                **{name: basics[name] or "" for name in ("model", "dataset", "name", "tuning", "preset")},
                "method": method,
                "prompts": [prompt for prompt in prompts if prompt and METHODS[method].writes],
                "seed": basics["seed"] or 0,
                "device": basics["device"] or "auto",
                "priority": basics["priority"] or 0,
                "time_limit": basics["time_limit"] or None,
                "gpus": basics["gpus"] or 1,
                "parallel": basics["parallel"] or "ddp",
            }
        )
        preset = self._preset(method, spec)
        form = self.forms[method]
        said = form.values(options[method])
        hidden = {field.name for field in form.fields if spec.tuning not in field.tunings}
        changes = {name: v for name, v in said.items() if v != preset.get(name) and name not in hidden}
        return spec.model_copy(update={"options": changes})

    def _known(self, basics: dict[str, Any]) -> tuple[str, str, str]:
        """What the choices hold, which come from outside as all else does."""
        method, tuning, preset = (str(basics[name]) for name in ("method", "tuning", "preset"))
        return (
            method if method in METHODS else "sft",
            tuning if tuning in TUNINGS else "full",
            preset if preset in PRESETS else "balanced",
        )

    def _preset(self, method: str, spec: TrainSpec) -> dict[str, Any]:
        try:
            parameters = training.base_of(self.studio, spec.model).parameters
        except StudioError:
            parameters = 0
        tuning = METHODS[method].nearest(spec.tuning)
        plain = spec.model_copy(update={"options": {}, "tuning": tuning})
        return training.options_of(plain, METHODS[method], parameters).model_dump()

    def _datasets(self, method: str, language: str) -> tuple[list[str], Markup]:
        """Names of the datasets that fit, and a list of the others with the reason."""
        known = training.fitting_datasets(self.studio, method)
        fitting = [_address(dataset) for dataset, reason in known if reason is None]
        others = [(dataset, reason) for dataset, reason in known if reason is not None]
        if not known:
            return [], empty(say("train.no_datasets", language), (say("train.to_data", language), "/data"))
        if not others:
            return fitting, Markup()
        lines = join(html("<li>{}</li>", reason.sentence(language)) for _, reason in others)
        title = say("train.unfit", language, count=len(others))
        return fitting, html(
            '<details class="ts-unfit"><summary>{}</summary><ul>{}</ul></details>', title, lines
        )

    def _tunings(self, method: str, tuning: str) -> Any:
        """The way of tuning that the method offers, and what it is.

        Its choices stay: Gradio's page would send the old value for one that comes together with other choices.
        """
        return gr.update(value=tuning, info=t(train_form.tuning_help(method, tuning)))

    def _groups(self, method: str) -> list[Any]:
        return [gr.update(visible=name == method) for name in self.forms]


def _address(dataset: Dataset) -> str:
    return f"{dataset.name}@{dataset.version}"
