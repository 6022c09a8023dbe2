"""Improve: operations that make a new version of what is open. The form of each is drawn from its description."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr
from gradio.components import Component
from markupsafe import Markup

from app.i18n import language_of, say, t
from app.parts import curation_view, data_job_view
from app.parts.dataset import opened, record_editor
from app.parts.dataset.improve_form import Form, form_of
from app.parts.events import ASKED, LIGHT, on_open
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import html, notice, panel
from studio_core.base.errors import StudioError
from studio_core.base.states import TERMINAL, State, Stop
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Job
from studio_core.curation import OPERATIONS, improving, making
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

# A job on data reports twice as often; figures that change faster are not read.
POLL = 1.0
"""Seconds between two looks at a job."""

_CHOOSE = """
element.addEventListener('click', (event) => {
	const button = event.target.closest('[data-operation]');
	if (button) trigger('choose', { operation: button.dataset.operation });
});
"""


def build(studio: Studio, tab: gr.Tab) -> None:
    parts: dict[str, Any] = {"cards": panel("improve-operations", js_on_load=_CHOOSE)}
    forms = [form_of(operation) for operation in OPERATIONS.values()]
    parts |= _following()
    section = Improve(studio, parts, forms)
    # Some two hundred fields: they are filled when the section is looked at, not with the page.
    # The preview comes in the same answer: one that came later would be of fields as they were before.
    inputs = [component for form in forms for component in form.inputs]
    shown = [parts["cards"], *(form.group for form in forms), parts["chosen"], parts["trial"]]
    progress = [parts[name] for name in ("progress", "stop", "cancel", "timer", "key")]
    filling = [*shown, parts["job"], *progress, parts["is_filled"], *inputs]
    on_open(section.open_page, filling)
    tab.select(safely(section.open_tab), [parts["is_filled"]], filling, **LIGHT)
    # Every click counts, also one that comes while the preview for the one before is worked out.
    parts["cards"].choose(safely(section.choose), inputs, shown, trigger_mode="multiple", **LIGHT)
    edit = next(form for form in forms if form.operation is EDIT)
    with edit.before:
        record_editor.build(studio, edit.components[0], parts["trial"])
    for form in forms:
        _follow_form(section, form, [parts["job"], *progress])
    job = [parts["job"]]
    parts["timer"].tick(safely(section.watch), job, progress, **LIGHT)
    parts["stop"].click(safely(section.stop), job, progress, trigger_mode="once", **ASKED)
    parts["cancel"].click(safely(section.cancel), job, progress, trigger_mode="once", **ASKED)


def _following() -> dict[str, Any]:
    """What stands below the forms: how the job goes, its buttons, the preview; and what the page remembers."""
    parts: dict[str, Any] = {"progress": panel("improve-progress")}
    with gr.Row(elem_id="improve-stopping"):
        for name, variant in (("stop", "secondary"), ("cancel", "stop")):
            parts[name] = gr.Button(
                t(f"curation.{name}"),
                elem_id=f"improve-{name}",
                variant=variant,
                visible=False,
                scale=0,
                min_width=160,
            )
    parts["trial"] = panel("improve-preview")
    return parts | {
        "chosen": gr.Textbox(visible=False),
        "key": gr.State(""),
        "job": gr.Textbox(visible=False),
        "is_filled": gr.State(False),
        "timer": gr.Timer(POLL, active=False),
    }


def _follow_form(section: Improve, form: Form, progress: list[Any]) -> None:
    """Events of one form: what is filled in has a new preview, a chosen part shows its options, a click starts it."""
    if can_be_tried(form.operation) or form.operation.expects:
        gr.on(
            [component.change for component in form.inputs],
            safely(section.preview_of(form)),
            form.inputs,
            section.parts["trial"],
            trigger_mode="always_last",
            **LIGHT,
        )
    for field, component in zip(form.fields, form.components, strict=True):
        options = form.part_options(field.name) if field.parts else {}
        if options:
            component.input(safely(_shows(options)), component, list(options), **LIGHT)  # type: ignore[attr-defined]
    form.start.click(
        safely(section.starter(form)),
        [section.parts["key"], form.result, form.seed, *form.inputs],
        progress,
        trigger_mode="once",
        **ASKED,
    )


def _shows(options: dict[Component, OptionField]) -> Callable[[str], Updates]:
    """What shows the options of the part that was chosen, and hides those of the others."""

    def show(part: str) -> Updates:
        return {component: gr.update(visible=part in field.owners) for component, field in options.items()}

    return show


class Improve(Handlers):
    """What the section does when it is opened, and on its buttons."""

    def __init__(self, studio: Studio, parts: dict[str, Any], forms: list[Form]) -> None:
        super().__init__(studio, parts)
        self.forms = forms

    def open_page(self, request: gr.Request) -> Any:
        """The page was opened, at this section or at another."""
        return self.fill(request) if str(request.query_params.get("tab", "")) == NAME else gr.skip()

    def open_tab(self, request: gr.Request, is_filled: bool) -> Any:
        """The tab was chosen: for the first time, or again."""
        return gr.skip() if is_filled else self.fill(request)

    def fill(self, request: gr.Request) -> Updates:
        """The cards, every form with its choices, the preview of the one that the address names, and its job."""
        dataset, language = opened(self.studio, request), language_of(request)
        query = dict(request.query_params)
        name = query.get("operation", "")
        name = name if any(form.operation.name == name for form in self._fitting(dataset)) else ""
        job = improving.job_on(self.studio, dataset)
        updates: Updates = {}
        for form in self.forms:
            asked = query if form.operation.name == name else {}
            updates |= form.choose(self.studio, dataset, asked, language)
        values = {component: update.get("value", component.value) for component, update in updates.items()}
        return {
            **self._cards(dataset, name, language),
            **self._updates(
                trial=self.preview(request, name, values), job=str(job.id) if job else "", is_filled=True
            ),
            **self._progress(job, language),
            **updates,
        }

    def preview(self, request: gr.Request, name: str, values: Mapping[Any, Any]) -> Markup:
        """Of the operation of that name. ``values``: what all forms hold, by component."""
        dataset, language = opened(self.studio, request), language_of(request)
        form = next((form for form in self._fitting(dataset) if form.operation.name == name), None)
        if form is None:
            return Markup()
        if form.operation is not EDIT:
            return self._preview(form, dataset, values, language)
        try:
            changes = str(values[form.components[0]] or "")
            return record_editor.pending(self.studio, dataset, changes, language)
        except StudioError as error:  # Of an address, say: the section is of use all the same.
            return notice("warn", error.sentence(language))

    def _fitting(self, dataset: Dataset) -> list[Form]:
        return [form for form in self.forms if Shape(dataset.shape) in form.operation.shapes]

    def _cards(self, dataset: Dataset, name: str, language: str) -> Updates:
        """The cards, which form is visible, and its name."""
        operations = [form.operation for form in self._fitting(dataset)]
        cards = curation_view.cards(operations, name, language)
        groups = {form.group: gr.Column(visible=form.operation.name == name) for form in self.forms}
        return {**self._updates(cards=cards, chosen=name), **groups}

    def choose(self, request: gr.Request, event: gr.EventData, *inputs: Any) -> Any:
        """Another operation: its form, and what it would do with what its fields hold (``inputs``: of all forms)."""
        dataset, language = opened(self.studio, request), language_of(request)
        asked = str(getattr(event, "operation", ""))
        if not any(form.operation.name == asked for form in self._fitting(dataset)):
            return gr.skip()
        components = [component for form in self.forms for component in form.inputs]
        values = dict(zip(components, inputs, strict=True))
        trial = self.preview(request, asked, values)
        return {**self._cards(dataset, asked, language), **self._updates(trial=trial)}

    def preview_of(self, form: Form) -> Callable[..., Markup]:
        def preview(request: gr.Request, *inputs: Any) -> Markup:
            values = dict(zip(form.inputs, inputs, strict=True))
            return self._preview(form, opened(self.studio, request), values, language_of(request))

        return preview

    def _preview(self, form: Form, dataset: Dataset, values: Mapping[Any, Any], language: str) -> Markup:
        """What would become of the first records, or why that cannot be said."""
        if form.operation.run is None:
            return notice("info", say("curation.no_preview_model", language))
        try:
            others, options = form.options(values)
            sources = [dataset, *(versions.get(self.studio, other) for other in others)]
            if form.operation.expects:
                expected = improving.expected(self.studio, form.operation, sources, options)
                return curation_view.expected(expected, language)
            if not can_be_tried(form.operation):
                return notice("info", say("curation.no_preview", language))
            preview = improving.previewed(self.studio, form.operation, sources, options)
        except StudioError as error:
            return notice("warn", error.sentence(language))
        return curation_view.preview(preview, dataset.rows, language)

    def starter(self, form: Form) -> Callable[..., Updates]:
        def start(request: gr.Request, key: str, result: str, seed: Any, *inputs: Any) -> Updates:
            dataset = opened(self.studio, request)
            others, options = form.options(dict(zip(form.inputs, inputs, strict=True)))
            spec = DataSpec(
                operation=form.operation.name,
                datasets=[f"{dataset.name}@{dataset.version}", *others],
                options=options,
                result=str(result or ""),
                seed=seed_of(seed),
            )
            # Two clicks are one job only if they ask for the same: 64 bits of a hash of all that is asked for.
            same = f"{key}-{hashlib.sha256(repr(spec).encode()).hexdigest()[:16]}"
            job = making.submit(self.studio, spec, key=same)
            ensure_engine(self.studio)
            job = queue.get(self.studio, job.id)
            return {**self._updates(job=str(job.id)), **self._progress(job, language_of(request))}

        return start

    def watch(self, request: gr.Request, job: str) -> Updates:
        return self._progress(self._job(job), language_of(request))

    def stop(self, request: gr.Request, job: str) -> Updates:
        return self._end(request, job, Stop.SAVE)

    def cancel(self, request: gr.Request, job: str) -> Updates:
        return self._end(request, job, Stop.CANCEL)

    def _end(self, request: gr.Request, number: str, how: Stop) -> Updates:
        job = self._job(number)
        if job is not None:
            queue.request_stop(self.studio, job.id, how)
        return self.watch(request, number)

    def _job(self, number: str) -> Job | None:
        """The job that the page watches; of other kinds it knows nothing."""
        if not (number.isascii() and number.isdigit() and len(number) < 16):
            return None
        job = queue.get(self.studio, int(number))
        return job if job.kind == "data" else None

    def _progress(self, job: Job | None, language: str) -> Updates:
        """How far a job is or what it made, the two buttons, the clock that looks again, and the next key.

        The key makes two clicks one job; what has ended may be started again.
        """
        live = job is not None and job.state not in TERMINAL
        updates = self._updates(
            progress=self._outcome(job, language) if job else "",
            stop=gr.Button(visible=bool(job and job.state == State.RUNNING and not job.stop_request)),
            cancel=gr.Button(visible=bool(job and live and job.stop_request != Stop.CANCEL)),
            timer=gr.Timer(active=live),
        )
        return updates if live else {**updates, **self._updates(key=secrets.token_hex(8))}

    def _outcome(self, job: Job, language: str) -> Markup:
        link = html(' <a href="/runs?run={}">{}</a>', job.id, say("curation.to_job", language, job=job.id))
        if job.state not in TERMINAL:
            return html("{}{}", data_job_view.progress(self.studio, job, language), link)
        results = versions.of_job(self.studio, job.id)
        if results:
            return curation_view.result(results, language)
        if job.state == State.SUCCEEDED:
            return notice("info", html("{}{}", say("curation.same_already", language), link))
        return notice("bad", html("{}{}", ending(job, language), link))


def seed_of(value: Any) -> int:
    """The seed that a number field holds; 0 if it is none."""
    whole = isinstance(value, int | float) and 0 <= value < 2**31 and float(value).is_integer()
    return int(value) if whole else 0
