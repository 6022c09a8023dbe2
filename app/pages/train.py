"""Train: choose a method, a model and data; see what would happen; start it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
from markupsafe import Markup, escape

from app.i18n import language_of, say, t
from app.parts import own_code, plan_card, train_data, train_form
from app.parts.events import ASKED, GO, LIGHT, on_open, typed
from app.parts.handlers import safely
from app.parts.html import heading, html
from app.parts.options_form import OptionsForm, options_form
from studio_core import methods, training
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.methods import METHODS, writes
from studio_core.methods.base import PRESETS
from studio_core.models import registry
from studio_core.runs import queue
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.spec import TrainSpec
from studio_core.training import several_gpus
from studio_core.tunings import DEFAULT, TUNINGS

NAME = "train"
PATH = "/train"

# What is chosen stands in the address, so that a reload finds it, and a server that was started again under the page.
_ADDRESS = """(method, tuning, model, dataset, preset, ...rest) => {
    window.tunesmith.chosen({ method, tuning, model, dataset, preset });
    return [method, tuning, model, dataset, preset, ...rest];
}"""


def build(studio: Studio) -> None:
    heading("train.title", "train.lead", level=1)
    with gr.Row(elem_classes="ts-train"):
        with gr.Column(scale=3, min_width=360):
            basics, adding = train_form.basics(studio)
            heading("train.options")
            form = options_form(METHODS, TUNINGS, shown=methods.DEFAULT, prefix="train-opt")
            rest = train_form.rest()
        with gr.Column(scale=2, min_width=320, elem_classes="ts-train-side"):
            card = gr.HTML(apply_default_css=False, elem_id="train-plan")
            start = gr.Button(
                t("train.start"), variant="primary", interactive=False, elem_id="train-start", size="lg"
            )
    parts = {**basics, **rest}
    shared = [parts[name] for name in train_form.NAMES]
    options = form.components
    key, before, earlier = gr.State(""), gr.State(None), gr.State([])
    address, converting, timer = gr.Textbox(visible=False), gr.State(0), gr.Timer(1.0, active=False)
    page = TrainPage(studio, form)

    steering = ("method", "tuning", "model", "preset")
    planned: dict[str, Any] = {
        "fn": page.changed,
        "inputs": [*shared, *options, before],
        "outputs": [card, start, key],
        "trigger_mode": "always_last",
        "js": _ADDRESS,
        **LIGHT,
    }
    on_open(page.opened, [*shared, *options, adding["unfit"], card, start, key, before, earlier])
    on_open(own_code.offered, adding["trust"])
    # What steers others is planned for after those have followed: together with a dataset that the new method
    # does not offer, Gradio would refuse the form.
    gr.on(
        [parts[name].input for name in steering],
        page.chosen,
        inputs=[*shared, *options, before, earlier],
        outputs=[
            *(parts[name] for name in ("method", "tuning", "preset", "dataset", "prompts")),
            adding["unfit"],
            *options,
            before,
            earlier,
        ],
        trigger_mode="always_last",
        **LIGHT,
    ).then(**planned)
    others = [part for name, part in parts.items() if name not in (*steering, "dataset")]
    # The dataset may also be one that was converted for the form just now.
    gr.on([*typed([*others, *options]), parts["dataset"].change], **planned)
    start.click(
        page.started,
        inputs=[*shared, *options, before, key],
        outputs=[address],
        trigger_mode="once",
        **ASKED,
    ).then(None, js=GO, inputs=[address])
    convert: dict[str, Any] = {"outputs": [parts["dataset"], adding["unfit"], converting, timer]}
    adding["unfit"].convert(
        page.convert_asked, inputs=[parts["method"]], **convert, trigger_mode="once", **ASKED
    )
    timer.tick(page.convert_watched, inputs=[converting, parts["method"]], **convert, **LIGHT)
    adding["add"].click(
        page.added,
        inputs=[adding["source"], adding["trust"], adding["password"]],
        outputs=[parts["model"], adding["source"], adding["password"]],
        trigger_mode="once",
        api_visibility="private",
    ).then(**planned)


@dataclass(frozen=True)
class Before:
    """What the fields of options began with, and what was changed in them; kept while a page is open."""

    method: str
    preset: dict[str, Any]
    changed: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By method, so that one that is chosen again has what was put there."""

    def after(self, form: OptionsForm, held: Sequence[Any], method: str, preset: dict[str, Any]) -> Before:
        """What is so once ``method`` and ``preset`` are chosen, while the fields hold ``held``.

        What was changed stays where both presets set it alike: then the choice was not about that option.
        """
        now = form.values(self.method, held)
        mine = {name: value for name, value in now.items() if value != self.preset.get(name)}
        # Options of one name may be different things: KTO's beta is not DPO's.
        both = form.fields[method].keys() & form.fields[self.method].keys()
        shared = {form.fields[method][place].name for place in both}
        alike = {
            name: mine[name] for name in mine.keys() & shared if self.preset.get(name) == preset.get(name)
        }
        theirs = {} if method == self.method else self.changed.get(method, {})
        return Before(method, preset, {**self.changed, self.method: mine, method: {**alike, **theirs}})


class TrainPage:
    """What the page does on load, on a choice, on any change, and on the click."""

    def __init__(self, studio: Studio, form: OptionsForm) -> None:
        self.studio = studio
        self.form = form

    @safely
    def opened(self, request: gr.Request) -> list[Any]:
        """Fill the form: with what the address asks for, else with what a first try needs."""
        registry.ensure_demo_models(self.studio)
        language, query = language_of(request), dict(request.query_params)
        try:
            spec = self._asked(query)
        except StudioError as error:  # The address names what is not there; the form is of use all the same.
            gr.Warning(str(escape(error.sentence(language))))
            spec, query = training.spec_for(self.studio, {}), {}
        return self._filled(spec, train_data.named(self.studio, query.get("dataset", "")), language)

    def _asked(self, query: dict[str, str]) -> TrainSpec:
        for name, again in (("duplicate", training.duplicate), ("longer", training.longer)):
            job = query.get(name, "")
            if job.isascii() and job.isdigit() and len(job) < 16:
                return again(self.studio, int(job))
        return training.spec_for(self.studio, query)

    def _filled(self, spec: TrainSpec, asked: Dataset | None, language: str) -> list[Any]:
        models = self._models(language)
        known = [value for _, value in models]
        datasets = train_data.fitting(self.studio, spec.method)
        preset = self._preset(spec)
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
        plan = training.plan(self.studio, spec)
        return [
            *basics,
            *self.form.shown(spec.method, {**preset, **spec.options}, spec.tuning),
            train_data.unfit(self.studio, spec.method, language, asked),
            plan_card.card(plan, language),
            gr.update(interactive=plan.ready),
            secrets.token_hex(8),
            Before(spec.method, preset),
            training.remember([], train_data.address(asked) if asked else spec.dataset),
        ]

    @safely
    def chosen(self, request: gr.Request, *given: Any) -> list[Any]:
        """Another method, tuning, model or preset: its starting values take the place of the old ones (``Before``)."""
        *values, before, earlier = given
        basics, options = self._split(values)
        language = language_of(request)
        method, tuning, preset = self._known(basics)
        datasets = train_data.fitting(self.studio, method)
        remembered = training.remember(earlier or [], basics["dataset"])
        tuning = METHODS[method].nearest(tuning)
        spec = TrainSpec(
            method=method,
            tuning=tuning,
            preset=preset,
            model=basics["model"] or "",
            dataset=training.returned(remembered, datasets),
        )
        begin = self._preset(spec)
        after = (before or Before(method, begin)).after(self.form, options, method, begin)
        return [
            gr.update(info=t(f"methods.{method}.help")),
            self._tunings(method, tuning),
            gr.update(info=t(f"methods.preset.{preset}.help")),
            gr.update(choices=datasets, value=spec.dataset or None),
            gr.update(visible=METHODS[method].writes),
            train_data.unfit(self.studio, method, language),
            *self.form.shown(method, {**begin, **after.changed.get(method, {})}, tuning),
            after,
            remembered,
        ]

    @safely
    def changed(self, request: gr.Request, *given: Any) -> list[Any]:
        """The plan for what the form says now. A changed form is a new wish: it gets a new key."""
        language = language_of(request)
        try:
            *values, before = given
            plan = training.plan(self.studio, self._spec(values, before))
            drawn, ready = plan_card.card(plan, language), plan.ready
        except StudioError as error:
            drawn, ready = plan_card.refused(error, language), False
        return [drawn, gr.update(interactive=ready), secrets.token_hex(8)]

    @safely
    def started(self, request: gr.Request, *given: Any) -> str:
        """One click, one job: the same key twice gives the same job. The page then goes to it."""
        *values, before, key = given
        job = training.submit(self.studio, self._spec(values, before), key=key or request.session_hash)
        ensure_engine(self.studio)
        return f"/runs?run={job.id}"

    @safely
    def convert_asked(self, request: gr.Request, event: gr.EventData, method: str) -> list[Any]:
        """Convert a dataset to what the method takes; the page then looks until it is there."""
        asked = event._data if isinstance(event._data, dict) else {}
        dataset = asked.get("dataset")
        if not isinstance(dataset, int):
            raise BadInput("data.dataset_not_found", dataset=str(dataset)[:40])
        job = training.convert_for(self.studio, dataset, str(method))
        ensure_engine(self.studio)
        language = language_of(request)
        return [gr.skip(), train_data.converting(job, language), job.id, gr.Timer(active=True)]

    @safely
    def convert_watched(self, request: gr.Request, job_id: int, method: str) -> list[Any]:
        """Choose what a conversion has made as soon as it is there."""
        language, said = language_of(request), Markup()
        try:
            made = training.converted(self.studio, queue.get(self.studio, job_id))
        except StudioError as error:
            made, said = None, train_data.not_converted(job_id, error, language)
        if made is None and not said:
            return [gr.skip()] * 4
        fitting = train_data.fitting(self.studio, str(method))
        chosen = train_data.address(made) if made else ""
        unfit = html("{}{}", said, train_data.unfit(self.studio, str(method), language))
        # Another method may be chosen by now; then it is only offered.
        dataset = gr.update(choices=fitting, **({"value": chosen} if chosen in fitting else {}))
        return [dataset, unfit, 0, gr.Timer(active=False)]

    @safely
    def added(self, request: gr.Request, source: str, trust: bool, password: str) -> list[Any]:
        source = str(source or "")
        code = own_code.given(self.studio, source, trust, password, request)
        model = registry.add(self.studio, source, own_code=code)
        language = language_of(request)
        gr.Info(str(escape(say("train.added", language, model=model.name))))
        return [gr.update(choices=self._models(language), value=model.name), "", ""]

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

    def _split(self, values: Sequence[Any]) -> tuple[dict[str, Any], Sequence[Any]]:
        """The form's values: what all methods share by name, and what the fields of options hold."""
        return dict(zip(train_form.NAMES, values, strict=False)), values[len(train_form.NAMES) :]

    def _spec(self, values: Sequence[Any], before: Before | None) -> TrainSpec:
        """What the form asks for. A method may be chosen whose starting values have not come to the page yet."""
        basics, options = self._split(values)
        method, tuning, _preset = self._known(basics)
        prompts = [line.strip().replace("\\n", "\n") for line in (basics["prompts"] or "").splitlines()]
        spec = training.spec_from(
            {
                **{name: basics[name] or "" for name in ("model", "dataset", "name", "preset")},
                "method": method,
                "tuning": basics["tuning"] or tuning,
                "prompts": [prompt for prompt in prompts if prompt and METHODS[method].writes],
                "seed": basics["seed"] or 0,
                "device": basics["device"] or "auto",
                "priority": basics["priority"] or 0,
                "time_limit": basics["time_limit"] or None,
                "gpus": basics["gpus"] or 1,
                "parallel": basics["parallel"] or "ddp",
            }
        )
        preset = self._preset(spec)
        changed = (before or Before(method, preset)).after(self.form, options, method, preset).changed[method]
        changes = {name: value for name, value in changed.items() if self.form.has_effect(name, spec.tuning)}
        return spec.model_copy(update={"options": changes})

    def _known(self, basics: dict[str, Any]) -> tuple[str, str, str]:
        """What the choices hold, which come from outside as all else does."""
        method, tuning, preset = (str(basics[name]) for name in ("method", "tuning", "preset"))
        return (
            method if method in METHODS else methods.DEFAULT,
            tuning if tuning in TUNINGS else DEFAULT,
            preset if preset in PRESETS else "balanced",
        )

    def _preset(self, spec: TrainSpec) -> dict[str, Any]:
        """What the fields begin with: those of the options of other tunings, too, which are there unseen."""
        try:
            parameters = training.base_of(self.studio, spec.model).parameters
        except StudioError:
            parameters = 0
        tuning = METHODS[spec.method].nearest(spec.tuning)
        plain = spec.model_copy(update={"options": {}, "tuning": tuning})
        chosen = training.options_of(plain, METHODS[spec.method], parameters).model_dump()
        return {**self.form.of_tunings, **chosen}

    def _tunings(self, method: str, tuning: str) -> Any:
        """The way of tuning that the method offers, and what it is.

        Its choices stay: Gradio's page would send the old value for one that comes together with other choices.
        """
        return gr.update(value=tuning, info=t(train_form.tuning_help(method, tuning)))
