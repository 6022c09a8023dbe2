"""Train: choose a method, a model and data; see what would happen; start it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr
from markupsafe import Markup, escape

from app.i18n import language_of, say, t
from app.parts import (
    choices,
    own_code,
    plan_card,
    reward_fields,
    reward_trial_view,
    role_fields,
    train_data,
    train_form,
    train_sweep,
    tuning_table,
)
from app.parts.events import ASKED, GO, LIGHT, on_open, typed
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import heading, html, panel
from app.parts.options_state import OptionsState, Wish, fields_of, read
from studio_core import training
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.methods import METHODS, writes
from studio_core.models import checking, registry
from studio_core.runs import queue
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.spec import TrainSpec
from studio_core.training import reward_trial, several_gpus

NAME = "train"
PATH = "/train"

# The script puts what is chosen into the address, too, so that a reload finds it; a turn of the form once it is made.
_WISH = "(...given) => window.tunesmith.wish(false, given)"
_TURNING = "(...given) => window.tunesmith.wish(true, given)"


def build(studio: Studio) -> None:
    heading("train.title", "train.lead", level=1)
    with gr.Row(elem_classes="ts-train"):
        with gr.Column(scale=3, min_width=360):
            basics, adding = train_form.basics(studio)
            heading("train.options")
            options = train_form.options_panel()
            trial = gr.Button(t("train.try_rewards"), visible=False, elem_id="train-try-rewards", size="sm")
            trials = panel("train-trials")
            rest = train_form.rest()
        with gr.Column(scale=2, min_width=320, elem_classes="ts-train-side"):
            card = gr.HTML(apply_default_css=False, elem_id="train-plan")
            start = gr.Button(
                t("train.start"), variant="primary", interactive=False, elem_id="train-start", size="lg"
            )
            swept = train_sweep.build()
    parts = {
        **basics, **rest, **adding, "options": options, "card": card, "start": start, "key": gr.State(""),
        "trial": trial, "trials": trials,
        "address": gr.Textbox(visible=False), "converting": gr.State(0), "timer": gr.Timer(1.0, active=False),
    }  # fmt: skip
    page = TrainPage(studio, parts)
    fields = [part for name, part in {**basics, **rest}.items() if name != "wish"] + [options]
    outcome = [card, start, parts["key"]]
    on_open(page.opened, [*fields, adding["unfit"], adding["comparison"], trial, trials, *outcome])
    on_open(own_code.offered, adding["trust"])
    _planning(page, fields, outcome)
    inputs = [parts[name] for name in train_form.INPUTS]
    train_sweep.listen(studio, swept, page.spec, inputs, parts["key"], _WISH)
    _data_and_models(page)


def _planning(page: TrainPage, fields: list[Any], outcome: list[Any]) -> None:
    """Events of the form: what is chosen changes the form, all that is changed has a new plan, a click starts it."""
    parts = page.parts
    inputs = [parts[name] for name in train_form.INPUTS]
    planned: dict[str, Any] = {
        "fn": page.changed,
        "inputs": inputs,
        "outputs": outcome,
        "trigger_mode": "always_last",
        "js": _WISH,
        **LIGHT,
    }
    # What steers others is planned for after those have followed: together with a dataset that the new method
    # does not offer, Gradio would refuse the form.
    steering = [parts[name] for name in ("method", "tuning", "model", "preset")]
    gr.on(
        [part.input for part in steering],
        page.chosen,
        inputs=inputs,
        outputs=[*fields, parts["unfit"], parts["trial"], parts["trials"]],
        trigger_mode="always_last",
        js=_TURNING,
        **LIGHT,
    ).then(**planned)
    others = [part for part in fields if part not in (*steering, parts["dataset"])]
    # The dataset may also be one that was converted for the form just now.
    gr.on([*typed(others), parts["dataset"].change], **planned)
    parts["start"].click(
        page.started,
        inputs=[*inputs, parts["key"]],
        outputs=[parts["address"]],
        trigger_mode="once",
        js=_WISH,
        **ASKED,
    ).then(None, js=GO, inputs=[parts["address"]])
    parts["trial"].click(
        page.rewards_tried,
        inputs=inputs,
        outputs=[parts["trials"]],
        trigger_mode="once",
        js=_WISH,
        **ASKED,
    )
    parts["add"].click(
        page.added,
        inputs=[parts["source"], parts["trust"], parts["password"]],
        outputs=[parts["model"], parts["source"], parts["password"]],
        trigger_mode="once",
        api_visibility="private",
    ).then(**planned)


def _data_and_models(page: TrainPage) -> None:
    """Events beside the form: a dataset is converted for the method."""
    parts = page.parts
    convert: dict[str, Any] = {
        "outputs": [parts["dataset"], parts["unfit"], parts["converting"], parts["timer"]],
        "js": _WISH,
    }
    parts["unfit"].convert(
        page.convert_asked, inputs=[parts["wish"]], **convert, trigger_mode="once", **ASKED
    )
    parts["timer"].tick(page.convert_watched, inputs=[parts["wish"], parts["converting"]], **convert, **LIGHT)


class TrainPage(Handlers):
    """What the page does on load, on a choice, on any change, and on the click."""

    @safely
    def opened(self, request: gr.Request) -> Updates:
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

    def _filled(self, spec: TrainSpec, asked: Dataset | None, language: str) -> Updates:
        models = self._models(language, also=spec.model)
        datasets = train_data.fitting(self.studio, spec.method, also=spec.dataset)
        several = max(spec.gpus, several_gpus.count(queue.devices(self.studio))) > 1
        plan = training.plan(self.studio, spec)
        chosen = train_data.address(asked) if asked else spec.dataset
        state = OptionsState(
            spec.method, spec.tuning, self._begin(spec), datasets=training.remember([], chosen)
        )
        return self._updates(
            method=train_form.methods(spec.method, language),
            tuning=train_form.tunings(spec.method, spec.tuning, language),
            model=gr.update(
                choices=models, value=spec.model if spec.model in [value for _, value in models] else None
            ),
            dataset=gr.update(choices=datasets, value=spec.dataset if spec.dataset in datasets else None),
            preset=gr.update(value=spec.preset, info=t(f"methods.preset.{spec.preset}.help")),
            prompts=gr.update(
                value="\n".join(prompt.replace("\n", "\\n") for prompt in spec.prompts),
                visible=METHODS[spec.method].writes,
            ),
            name=spec.name,
            seed=spec.seed,
            device=spec.device,
            priority=spec.priority,
            time_limit=spec.time_limit,
            retention=spec.retention,
            gpus=gr.update(value=spec.gpus, visible=several),
            parallel=gr.update(value=spec.parallel, visible=several),
            options=self._options(state.held({**spec.options, **role_fields.values_of(spec)}), language),
            unfit=train_data.unfit(self.studio, spec.method, language, asked),
            comparison=tuning_table.drawn(language),
            trial=gr.update(visible=METHODS[spec.method].rewards),
            trials="",
            card=plan_card.card(plan, language),
            start=gr.update(interactive=plan.ready),
            key=secrets.token_hex(8),
        )

    @safely
    def chosen(self, request: gr.Request, *given: Any) -> Updates:
        """Another method, tuning, model or preset: its starting values take the place of the old ones."""
        language = language_of(request)
        wish, basics = self._read(given)
        method, preset = METHODS[wish.method], str(basics["preset"])
        datasets = train_data.fitting(self.studio, method.name)
        remembered = training.remember(wish.state.datasets, basics["dataset"])
        spec = TrainSpec(
            method=method.name,
            tuning=method.nearest(wish.tuning),
            preset=preset,
            model=basics["model"] or "",
            dataset=training.returned(remembered, datasets),
        )
        state = wish.state.turned(spec.method, spec.tuning, self._begin(spec))
        updates = self._updates(
            options=self._options(replace(state, datasets=remembered), language),
            preset=gr.update(info=t(f"methods.preset.{preset}.help")),
            dataset=gr.update(choices=datasets, value=spec.dataset or None),
            prompts=gr.update(visible=method.writes),
            unfit=train_data.unfit(self.studio, method.name, language),
            trial=gr.update(visible=method.rewards),
            trials="",
        )
        if (
            wish.form.method != method.name
        ):  # Drawn again under the hand that has just chosen, it would lose the focus.
            updates[self.parts["tuning"]] = train_form.tunings(method.name, spec.tuning, language)
        return updates

    @safely
    def changed(self, request: gr.Request, *given: Any) -> Updates:
        """The plan for what the form says now. A changed form is a new wish: it gets a new key."""
        language = language_of(request)
        try:
            plan = training.plan(self.studio, self.spec(given))
            drawn, ready = plan_card.card(plan, language), plan.ready
        except StudioError as error:
            drawn, ready = plan_card.refused(error, language), False
        return self._updates(card=drawn, start=gr.update(interactive=ready), key=secrets.token_hex(8))

    @safely
    def started(self, request: gr.Request, *given: Any) -> str:
        """One click, one job: the same key twice gives the same job. The page then goes to it."""
        *values, key = given
        job = training.submit(self.studio, self.spec(values), key=key or request.session_hash)
        ensure_engine(self.studio)
        return f"/runs?run={job.id}"

    @safely
    def rewards_tried(self, request: gr.Request, *given: Any) -> Iterator[Updates]:
        """What the rewards say of some records' own answers at once, and of the model's once it has written them."""
        language, spec = language_of(request), self.spec(given)
        if not METHODS[spec.method].rewards:
            raise BadInput("shell.refused_call")
        records = reward_trial.sample(self.studio, spec)
        references = reward_trial.references(self.studio, spec, records)
        yield self._updates(trials=reward_trial_view.drawn(references, None, language))
        try:
            answers = reward_trial.answers(self.studio, spec, records)
        except StudioError as error:  # What was told of the records stays.
            yield self._updates(trials=reward_trial_view.drawn(references, None, language, error))
        else:
            yield self._updates(trials=reward_trial_view.drawn(references, answers, language))

    @safely
    def convert_asked(self, request: gr.Request, event: gr.EventData, wish: str) -> Updates:
        """Convert a dataset to what the method takes; the page then looks until it is there."""
        asked = event._data if isinstance(event._data, dict) else {}
        dataset = asked.get("dataset")
        if not isinstance(dataset, int):
            raise BadInput("data.dataset_not_found", dataset=str(dataset)[:40])
        job = training.convert_for(self.studio, dataset, read(wish).method)
        ensure_engine(self.studio)
        drawn = train_data.converting(job, language_of(request))
        return self._updates(unfit=drawn, converting=job.id, timer=gr.Timer(active=True))

    @safely
    def convert_watched(self, request: gr.Request, wish: str, job_id: int) -> Any:
        """Choose what a conversion has made as soon as it is there."""
        language, method, failure = language_of(request), read(wish).method, Markup()
        try:
            dataset = training.converted(self.studio, queue.get(self.studio, job_id))
        except StudioError as error:
            dataset, failure = None, train_data.not_converted(job_id, error, language)
        if dataset is None and not failure:
            return gr.skip()
        fitting = train_data.fitting(self.studio, method)
        chosen = train_data.address(dataset) if dataset else ""
        return self._updates(
            # Another method may be chosen by now; then it is only offered.
            dataset=gr.update(choices=fitting, **({"value": chosen} if chosen in fitting else {})),
            unfit=html("{}{}", failure, train_data.unfit(self.studio, method, language)),
            converting=0,
            timer=gr.Timer(active=False),
        )

    @safely
    def added(self, request: gr.Request, source: str, trust: bool, password: str) -> Updates:
        source = str(source or "")
        code = own_code.consent(self.studio, source, trust, password, request)
        model = checking.add(self.studio, source, own_code=code)
        language = language_of(request)
        gr.Info(str(escape(say("train.added", language, model=model.name))))
        models = gr.update(choices=self._models(language), value=model.name)
        return self._updates(model=models, source="", password="")

    def _models(self, language: str, also: str = "") -> list[tuple[str, str]]:
        """The models to choose from by their names, and what the runs that have not ended yet will make."""
        offered = registry.offered(self.studio, also=[also])
        there = [
            (say("train.model_scores", language, model=label) if registry.scores(model) else label, name)
            for model, (label, name) in zip(
                offered, choices.named_models(self.studio, offered, language), strict=True
            )
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

    def _read(self, given: Sequence[Any]) -> tuple[Wish, dict[str, Any]]:
        """What is chosen and typed, and the values of Gradio's own fields by name."""
        basics = dict(zip(train_form.INPUTS, given, strict=True))
        return read(basics["wish"]), basics

    def spec(self, given: Sequence[Any]) -> TrainSpec:
        """What the form asks for. A method may be chosen whose options have not come to the page yet."""
        wish, basics = self._read(given)
        method = METHODS[wish.method]
        prompts = [line.strip().replace("\\n", "\n") for line in (basics["prompts"] or "").splitlines()]
        spec = training.spec_from(
            {
                **{name: basics[name] or "" for name in ("model", "dataset", "name", "preset")},
                "method": method.name,
                "tuning": method.nearest(wish.tuning),
                "prompts": [prompt for prompt in prompts if prompt and method.writes],
                "seed": basics["seed"] or 0,
                "device": basics["device"] or "auto",
                "priority": basics["priority"] or 0,
                "time_limit": basics["time_limit"] or None,
                "retention": basics["retention"] is not False,
                "gpus": basics["gpus"] or 1,
                "parallel": basics["parallel"] or "ddp",
            }
        )
        state = wish.state.turned(spec.method, spec.tuning, self._begin(spec))
        return spec.model_copy(update=role_fields.parted(state.changes))

    def _begin(self, spec: TrainSpec) -> dict[str, Any]:
        """What the options of a training begin with: those of its preset."""
        try:
            parameters = training.base_of(self.studio, spec.model).parameters
        except StudioError:  # Which the plan tells.
            parameters = 0
        plain, method = spec.model_copy(update={"options": {}}), METHODS[spec.method]
        options = training.options_of(plain, method, parameters).model_dump(mode="json")
        return {**(reward_fields.begin() if method.rewards else {}), **options}

    def _options(self, state: OptionsState, language: str) -> Markup:
        offers = choices.everywhere(self.studio, fields_of(state.method, state.tuning), language)
        fitting = [(name, name) for name in train_data.fitting(self.studio, state.method)]
        return train_form.options(state, language, {**offers, "datasets": fitting})
