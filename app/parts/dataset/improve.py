"""Improve: operations that make a new version of what is open. The form of each is drawn from its description."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component
from markupsafe import Markup

from app.i18n import language_of, say, t
from app.parts import curation_view, data_job_view
from app.parts.choices import filled
from app.parts.dataset import opened, record_editor
from app.parts.events import ASKED, LIGHT, on_open
from app.parts.handlers import safely
from app.parts.html import heading, html, notice, panel
from app.parts.options_form import component_of, element_id, expanded, gathered
from studio_core.base.errors import StudioError
from studio_core.base.states import TERMINAL, State, Stop
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Job
from studio_core.curation import OPERATIONS, improving, making
from studio_core.curation.base import Operation
from studio_core.curation.edit import EDIT
from studio_core.curation.preview import can_be_tried
from studio_core.data import versions
from studio_core.data.shapes import Shape
from studio_core.options import OptionField
from studio_core.runs import queue
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.reasons import ending
from studio_core.runs.spec import DataSpec

NAME = "improve"

POLL = 1.0
"""Seconds between two looks at a job."""

_CHOOSE = """
element.addEventListener('click', (event) => {
	const button = event.target.closest('[data-operation]');
	if (button) trigger('choose', { operation: button.dataset.operation });
});
"""


@dataclass(frozen=True)
class Form:
    """The form of one operation."""

    operation: Operation
    group: gr.Column
    before: gr.Column
    """A place above the options, for what helps to fill them in."""
    fields: list[OptionField]
    components: list[Component]
    others: gr.Dropdown | None
    """Further datasets, if it takes several."""
    result: gr.Textbox
    seed: gr.Number
    start: gr.Button

    @property
    def inputs(self) -> list[Component]:
        """What makes up its options, in the order in which ``options`` takes it."""
        return [*([self.others] if self.others else []), *self.components]

    def options(self, given: Sequence[Any]) -> tuple[list[str], dict[str, Any]]:
        """Names of further datasets, and the options by name; what is left empty is absent."""
        others, values = (given[0] or [], given[1:]) if self.others else ([], given)
        held = {field.name: value for field, value in zip(self.fields, values, strict=True)}
        return [str(other) for other in others], gathered(self.operation.fields, held)


def build(studio: Studio, tab: gr.Tab) -> None:
    section = Improve(studio)
    cards = panel("improve-operations", js_on_load=_CHOOSE)
    forms = [_form(operation) for operation in OPERATIONS.values()]
    section.forms = forms
    progress = panel("improve-progress")
    with gr.Row(elem_id="improve-stopping"):
        stop = gr.Button(t("curation.stop"), elem_id="improve-stop", visible=False, scale=0, min_width=160)
        cancel = gr.Button(
            t("curation.cancel"),
            elem_id="improve-cancel",
            variant="stop",
            visible=False,
            scale=0,
            min_width=160,
        )
    trial = panel("improve-preview")
    chosen, key, job = gr.Textbox(visible=False), gr.State(""), gr.Textbox(visible=False)
    filled_in = gr.State(False)
    timer = gr.Timer(POLL, active=False)

    groups = [form.group for form in forms]
    inputs = [component for form in forms for component in form.inputs]
    watched = [progress, stop, cancel, timer, key]
    # Some two hundred fields: they are filled when the section is looked at, not with the page.
    # The preview comes in the same answer: one that came later would be of fields as they were before.
    filling = [cards, *groups, chosen, trial, job, *watched, filled_in, *inputs]
    on_open(section.asked_for, filling)
    tab.select(safely(section.looked_at), [filled_in], filling, **LIGHT)
    # Every click counts, also one that comes while the preview for the one before is worked out.
    cards.choose(
        safely(section.chosen), inputs, [cards, *groups, chosen, trial], trigger_mode="multiple", **LIGHT
    )
    edit = next(form for form in forms if form.operation is EDIT)
    with edit.before:
        record_editor.build(studio, edit.components[0], trial)
    for form in forms:
        if can_be_tried(form.operation) or form.operation.expects:
            gr.on(
                [component.change for component in form.inputs],
                safely(section.tried_by(form)),
                form.inputs,
                trial,
                trigger_mode="always_last",
                **LIGHT,
            )
        for field, component in zip(form.fields, form.components, strict=True):
            parts = [one for one in form.fields if field.parts and one.part == field.name]
            if parts:
                places = [form.components[form.fields.index(one)] for one in parts]
                component.input(safely(_part_chosen(parts)), component, places, **LIGHT)
        form.start.click(
            safely(section.starter(form)),
            [key, form.result, form.seed, *form.inputs],
            [job, *watched],
            trigger_mode="once",
            **ASKED,
        )
    timer.tick(safely(section.watched), [job], watched, **LIGHT)
    stop.click(safely(section.stop), [job], watched, trigger_mode="once", **ASKED)
    cancel.click(safely(section.cancel), [job], watched, trigger_mode="once", **ASKED)


def _form(operation: Operation) -> Form:
    described = expanded(operation.fields)
    prefix = f"improve-{operation.name}"
    by_name: dict[str, Component] = {}
    others = None
    with gr.Column(visible=False, elem_classes="ts-improve-form", elem_id=prefix) as group:
        heading(operation.title_key, operation.help_key)
        if operation.several:
            others = gr.Dropdown(
                [],
                label=t("curation.others"),
                info=t("curation.others.help"),
                multiselect=True,
                elem_id=f"{prefix}-others",
            )
        before = gr.Column(elem_classes="ts-improve-form")
        with gr.Group(elem_classes="ts-options"), gr.Row(elem_classes="ts-option-row"):
            for field in described:
                if not field.advanced:
                    by_name[field.name] = _component(field, prefix, described)
        with gr.Accordion(t("curation.more"), open=False, elem_id=f"{prefix}-more"):
            with gr.Row(elem_classes="ts-option-row"):
                for field in described:
                    if field.advanced:
                        by_name[field.name] = _component(field, prefix, described)
                seed = gr.Number(
                    0, label=t("curation.seed"), info=t("curation.seed.help"), precision=0, min_width=210
                )
        result = gr.Textbox(
            label=t("curation.result"),
            info=t("curation.result.help"),
            max_lines=1,
            elem_id=f"{prefix}-result",
        )
        start = gr.Button(t("curation.start"), variant="primary", elem_id=f"{prefix}-start")
    components = [by_name[field.name] for field in described]
    return Form(operation, group, before, described, components, others, result, seed, start)


def _component(field: OptionField, prefix: str, described: Sequence[OptionField]) -> Component:
    """One option's; that of a part only if the part is what the form begins with."""
    parts = {known.name: known.default for known in described if known.parts}
    shown = not field.owners or parts[field.part] in field.owners
    return component_of(field, element_id(prefix, field), visible=shown)


def _part_chosen(fields: Sequence[OptionField]) -> Any:
    """What shows the options of the part that was chosen, and hides those of the others."""

    def part_chosen(part: str) -> list[Any]:
        return [gr.update(visible=part in field.owners) for field in fields]

    return part_chosen


class Improve:
    """What the section does when it is opened, and on its buttons."""

    forms: list[Form]

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def asked_for(self, request: gr.Request) -> Any:
        """The page was opened, at this section or at another."""
        return self.opened(request) if str(request.query_params.get("tab", "")) == NAME else gr.skip()

    def looked_at(self, request: gr.Request, filled_in: bool) -> Any:
        """The tab was chosen: for the first time, or again."""
        return gr.skip() if filled_in else self.opened(request)

    def opened(self, request: gr.Request) -> list[Any]:
        dataset, language = opened(self.studio, request), language_of(request)
        asked = dict(request.query_params)
        name = asked.get("operation", "")
        name = name if any(form.operation.name == name for form in self._fitting(dataset)) else ""
        job = improving.job_on(self.studio, dataset)
        updates = [
            update for form in self.forms for update in self._filled(form, dataset, asked, name, language)
        ]
        components = [component for form in self.forms for component in form.inputs]
        held = [
            update.get("value", component.value)
            for update, component in zip(updates, components, strict=True)
        ]
        return [
            *self._shown(dataset, name, language),
            self.tried(request, name, *held),
            str(job.id) if job else "",
            *self._progress(job, language),
            True,
            *updates,
        ]

    def tried(self, request: gr.Request, name: str, *given: Any) -> Markup:
        """The preview of the operation of that name. ``given``: what all forms hold."""
        dataset, language = opened(self.studio, request), language_of(request)
        form = next((form for form in self._fitting(dataset) if form.operation.name == name), None)
        if form is None:
            return Markup()
        start = sum(len(other.inputs) for other in self.forms[: self.forms.index(form)])
        own = given[start : start + len(form.inputs)]
        if form.operation is not EDIT:
            return self._tried(form, dataset, own, language)
        try:
            return record_editor.RecordEditor(self.studio).pending(request, str(own[0] or ""))
        except StudioError as error:  # Of an address, say: the section is of use all the same.
            return notice("warn", error.sentence(language))

    def _fitting(self, dataset: Dataset) -> list[Form]:
        return [form for form in self.forms if Shape(dataset.shape) in form.operation.shapes]

    def _shown(self, dataset: Dataset, name: str, language: str) -> list[Any]:
        """The cards, which form is visible, and its name."""
        operations = [form.operation for form in self._fitting(dataset)]
        groups = [gr.Column(visible=form.operation.name == name) for form in self.forms]
        return [curation_view.cards(operations, name, language), *groups, name]

    def _filled(
        self, form: Form, dataset: Dataset, asked: dict[str, str], chosen: str, language: str
    ) -> list[Any]:
        """Choices that this dataset offers; where the address names this operation, its values too."""
        updates: list[dict[str, Any]] = filled(self.studio, dataset, form.fields, language)
        if form.operation.name == chosen:
            for field, update in zip(form.fields, updates, strict=True):
                if field.name in asked:
                    update.update(_prefilled(field, str(asked[field.name])))
            chosen_parts = {
                field.name: update.get("value", field.default)
                for field, update in zip(form.fields, updates, strict=True)
                if field.parts
            }
            for field, update in zip(form.fields, updates, strict=True):
                if field.owners:
                    update["visible"] = chosen_parts[field.part] in field.owners
        if form.others is None:
            return updates
        own = f"{dataset.name}@{dataset.version}"
        names = [f"{one.name}@{one.version}" for one in versions.all_datasets(self.studio)]
        return [gr.update(choices=[name for name in names if name != own]), *updates]

    def chosen(self, request: gr.Request, event: gr.EventData, *given: Any) -> Any:
        """Another operation: its form, and what it would do with what its fields hold (``given``: of all forms)."""
        dataset, language = opened(self.studio, request), language_of(request)
        asked = str(getattr(event, "operation", ""))
        if not any(form.operation.name == asked for form in self._fitting(dataset)):
            return gr.skip()
        return [*self._shown(dataset, asked, language), self.tried(request, asked, *given)]

    def tried_by(self, form: Form) -> Any:
        def tried(request: gr.Request, *given: Any) -> Markup:
            return self._tried(form, opened(self.studio, request), given, language_of(request))

        return tried

    def _tried(self, form: Form, dataset: Dataset, given: Sequence[Any], language: str) -> Markup:
        """What would become of the first records, or why that cannot be said."""
        if form.operation.run is None:
            return notice("info", say("curation.no_preview_model", language))
        try:
            others, options = form.options(given)
            taken = [dataset, *(versions.get(self.studio, other) for other in others)]
            if form.operation.expects:
                known = improving.expected(self.studio, form.operation, taken, options)
                return curation_view.expected(known, language)
            if not can_be_tried(form.operation):
                return notice("info", say("curation.no_preview", language))
            found = improving.previewed(self.studio, form.operation, taken, options)
        except StudioError as error:
            return notice("warn", error.sentence(language))
        return curation_view.preview(found, dataset.rows, language)

    def starter(self, form: Form) -> Any:
        def start(request: gr.Request, key: str, result: str, seed: Any, *given: Any) -> list[Any]:
            dataset = opened(self.studio, request)
            others, options = form.options(given)
            spec = DataSpec(
                operation=form.operation.name,
                datasets=[f"{dataset.name}@{dataset.version}", *others],
                options=options,
                result=str(result or ""),
                seed=seed_of(seed),
            )
            once = f"{key}-{hashlib.sha256(repr(spec).encode()).hexdigest()[:16]}"
            job = making.submit(self.studio, spec, key=once)
            ensure_engine(self.studio)
            return [str(job.id), *self._progress(queue.get(self.studio, job.id), language_of(request))]

        return start

    def watched(self, request: gr.Request, job: str) -> list[Any]:
        return self._progress(self._job(job), language_of(request))

    def stop(self, request: gr.Request, job: str) -> list[Any]:
        return self._end(request, job, Stop.SAVE)

    def cancel(self, request: gr.Request, job: str) -> list[Any]:
        return self._end(request, job, Stop.CANCEL)

    def _end(self, request: gr.Request, job: str, how: Stop) -> list[Any]:
        found = self._job(job)
        if found is not None:
            queue.request_stop(self.studio, found.id, how)
        return self.watched(request, job)

    def _job(self, job: str) -> Job | None:
        """The job that the page watches; of other kinds it knows nothing."""
        if not (job.isascii() and job.isdigit() and len(job) < 16):
            return None
        found = queue.get(self.studio, int(job))
        return found if found.kind == "data" else None

    def _progress(self, job: Job | None, language: str) -> list[Any]:
        """How far a job is or what it made, the two buttons, the clock that looks again, and the next key.

        The key makes two clicks one job; what has ended may be started again.
        """
        if job is None:
            return ["", gr.Button(visible=False), gr.Button(visible=False), gr.Timer(active=False), _key()]
        live = job.state not in TERMINAL
        return [
            self._told(job, language),
            gr.Button(visible=job.state == State.RUNNING and not job.stop_request),
            gr.Button(visible=live and job.stop_request != Stop.CANCEL),
            gr.Timer(active=live),
            gr.skip() if live else _key(),
        ]

    def _told(self, job: Job, language: str) -> Markup:
        link = html(' <a href="/runs?run={}">{}</a>', job.id, say("curation.to_job", language, job=job.id))
        if job.state not in TERMINAL:
            return html("{}{}", data_job_view.progress(self.studio, job, language), link)
        made = versions.of_job(self.studio, job.id)
        if made:
            return curation_view.result(made, language)
        if job.state == State.SUCCEEDED:
            return notice("info", html("{}{}", say("curation.same_already", language), link))
        return notice("bad", html("{}{}", ending(job, language), link))


def _key() -> str:
    return secrets.token_hex(8)


def seed_of(given: Any) -> int:
    """The seed that a number field holds; 0 if it is none."""
    whole = isinstance(given, int | float) and 0 <= given < 2**31 and float(given).is_integer()
    return int(given) if whole else 0


def _prefilled(field: OptionField, text: str) -> dict[str, Any]:
    """A value from the address, if it is one of the option's kind."""
    if field.kind == "choices":
        return {"value": [part for part in text.split(",") if not field.choices or part in field.choices]}
    if field.kind == "bool":
        return {"value": text == "true"}
    if field.kind in ("int", "float"):
        try:
            return {"value": float(text) if field.kind == "float" else int(text)}
        except ValueError:
            return {}
    return {"value": text[:10_000]} if not field.choices or text in field.choices else {}
