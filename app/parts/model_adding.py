"""The form that brings a model in: found on the Hub or named, checked, and then added."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, say, t
from app.parts import model_check, open_models, own_code
from app.parts.events import ASKED, on_open
from app.parts.handlers import Handlers, Updates, safely, sentence_of
from app.parts.html import html, notice, panel, size
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.studio import Studio
from studio_core.models import checking, hub
from studio_core.models.checking import Checked
from studio_core.training import room

_SHOWN = "() => document.querySelector('#models-add')?.scrollIntoView({ block: 'start' })"


def build(studio: Studio) -> tuple[gr.events.Dependency, gr.HTML]:
    """The form, and below it the place of the list of open models, whose buttons name one. Returns the event of a model
    that was added, and that place."""
    parts: dict[str, Any] = {}
    with gr.Accordion(t("shell.models_add"), open=False, elem_id="models-add") as parts["form"]:
        _fields(studio, parts)
    catalogue = panel("models-open", js_on_load=f"{open_models.PICK}; 'pick'")
    parts["seen"] = gr.State("")
    form = ModelAdding(studio, parts)
    on_open(form.opened, [parts["trust"]])
    outcome = [parts[name] for name in ("checked", "add", "answer", "seen")]
    asking = [parts["source"], parts["trust"]]
    gr.on(
        [parts["check"].click, parts["source"].submit],
        form.asked,
        asking,
        outcome,
        trigger_mode="once",
        **ASKED,
    )
    picked = [parts["form"], parts["source"], *outcome]
    for place in (catalogue, parts["hits"]):
        place.pick(form.picked, [parts["trust"]], picked, trigger_mode="once", **ASKED).then(None, js=_SHOWN)
    gr.on(
        [parts["find"].click, parts["text"].submit], form.searched, [parts["text"]], [parts["hits"]],
        trigger_mode="once", **ASKED,
    )  # fmt: skip
    # A model of the Hub is downloaded here, which may take minutes.
    added = parts["add"].click(
        form.added,
        [parts[name] for name in ("source", "name", "trust", "password", "seen")],
        [*outcome, parts["password"]],
        api_visibility="private",
        concurrency_limit=2,
    )
    return added, catalogue


def _fields(studio: Studio, parts: dict[str, Any]) -> None:
    with gr.Row(elem_classes="ts-asking"):
        parts["text"] = gr.Textbox(
            label=t("catalogue.find"), info=t("catalogue.find_info"), max_lines=1, max_length=hub.LONGEST,
            elem_id="model-find", scale=4,
        )  # fmt: skip
        parts["find"] = gr.Button(t("catalogue.find_now"), elem_id="model-find-now", scale=1, min_width=110)
    parts["hits"] = panel("model-hits", js_on_load=f"{open_models.PICK}; 'pick'")
    with gr.Row(elem_classes="ts-asking"):
        parts["source"] = gr.Textbox(
            label=t("shell.models_source"),
            info=t("shell.models_source_info"),
            placeholder=t("shell.models_source_placeholder"),
            elem_id="model-source",
            max_lines=1,
            scale=4,
        )
        parts["check"] = gr.Button(t("catalogue.check"), elem_id="model-check", scale=1, min_width=110)
    parts["checked"] = panel("model-checked")
    parts["name"] = gr.Textbox(
        label=t("shell.models_name"), info=t("shell.models_name_info"), elem_id="model-name", max_lines=1
    )
    parts["trust"] = gr.Checkbox(
        label=t("shell.models_trust"), info=t("shell.models_trust_info"), value=False, elem_id="model-trust"
    )
    parts["password"] = own_code.fields(studio, parts["trust"], "model-password")
    parts["add"] = gr.Button(t("shell.models_add_now"), variant="primary", elem_id="model-add", scale=0)
    parts["answer"] = panel("model-added")


class ModelAdding(Handlers):
    @safely
    def opened(self, request: gr.Request) -> Updates:
        return self._updates(trust=own_code.offered(request))

    @safely
    def searched(self, text: str, request: gr.Request) -> Updates:
        """Ask the Hub; that it cannot be reached stands where its answer would."""
        language, text = language_of(request), str(text or "")
        try:
            found = model_check.hits(hub.find(text), checking.sources(self.studio), text, language)
        except StudioError as error:
            found = notice("warn", sentence_of(error, language))
        return self._updates(hits=found)

    @safely
    def picked(self, trust: bool, request: gr.Request, event: gr.EventData) -> Updates:
        """A model of a list: its name goes into the form, and it is checked."""
        given = event._data if isinstance(event._data, dict) else {}
        name = str(given.get("name", ""))[:200]
        if not checking.named_on_hub(name):
            raise BadInput("shell.refused_call")
        return {
            **self._updates(form=gr.update(open=True), source=name),
            **self._checked(name, trust, language_of(request)),
        }

    @safely
    def asked(self, source: str, trust: bool, request: gr.Request) -> Updates:
        return self._checked(str(source or ""), trust, language_of(request))

    def _checked(self, source: str, trust: bool, language: str) -> Updates:
        """The card; where there is nothing to look into, why."""
        try:
            checked = checking.check(self.studio, source, own_code=trust is True)
        except StudioError as error:
            told = notice("bad", sentence_of(error, language))
            return self._updates(checked=told, add=_button(None, language), answer="", seen="")
        return self._seen(checked, source, language)

    def _seen(self, checked: Checked, source: str, language: str, answer: Markup | str = "") -> Updates:
        needs = room.of(room.here(self.studio), checked.inspected)
        return self._updates(
            checked=model_check.card(checked, needs, language),
            add=_button(checked, language),
            answer=answer,
            seen=source.strip(),
        )

    @safely
    def added(
        self, source: str, name: str, trust: bool, password: str, seen: str, request: gr.Request
    ) -> Updates:
        """Bring it in; what the Hub would send is shown before anything is fetched."""
        language, source = language_of(request), str(source or "").strip()
        code = own_code.consent(self.studio, source, trust, password, request)
        if checking.named_on_hub(source) and seen != source:
            checked = checking.check(self.studio, source, own_code=code is not None)
            first = "" if checked.problems else notice("info", say("catalogue.check_first", language))
            return self._seen(checked, source, language, first)
        model = checking.add(self.studio, source, name=str(name or "").strip() or None, own_code=code)
        return self._updates(
            checked="", add=_button(None, language), answer=_added(model.name, language), seen="", password=""
        )


def _button(checked: Checked | None, language: str) -> Any:
    """What a click does now: with a model of the Hub that was checked, fetch so much."""
    fetches = checked is not None and checked.on_hub and not checked.problems and not checked.known_as
    label = (
        say("catalogue.download", language, size=size(checked.download))
        if fetches and checked
        else say("shell.models_add_now", language)
    )
    return gr.update(value=label)


def _added(name: str, language: str) -> Markup:
    told = say("shell.models_added", language, name=name)
    link = html('<a href="/train?model={}">{}</a>', quote(name, safe=""), say("catalogue.train", language))
    return notice("good", html("{} {}", told, link))
