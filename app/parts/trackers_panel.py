"""Trackers on the Settings page: which are on, and where they log. Keys go in and never come out."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, say, t
from app.parts.events import ASKED, LIGHT, on_open
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import NOTHING, heading, html, notice, panel, table
from app.parts.options_form import component_of, element_id
from studio_core.base.studio import Studio
from studio_core.options import OptionField
from studio_core.trackers import TRACKERS, named, switches
from studio_core.trackers.base import FOLDER
from studio_core.trackers.switches import Switch

# No option or key is longer, and what is longer is not looked at.
_LONGEST = 5000
_FIELDS: dict[str, OptionField] = {
    field.name: field for tracker in TRACKERS.values() for field in tracker.fields
}
"""Options of all trackers, by name; those of the chosen one are shown."""


def trackers_panel(studio: Studio) -> None:
    """Draw the section; its buttons change ``trackers.json``."""
    first = next(iter(TRACKERS))
    with gr.Column(elem_classes="ts-card", elem_id="settings-trackers"):
        heading("trackers.head", "trackers.lead")
        parts: dict[str, Any] = {"list": panel("trackers-list")}
        parts["tracker"] = gr.Radio(
            [(t(tracker.title_key), name) for name, tracker in TRACKERS.items()],
            value=first,
            label=t("trackers.tracker"),
            elem_id="tracker-name",
        )
        with gr.Row():
            for name, field in _FIELDS.items():
                parts[name] = component_of(field, element_id("tracker", field), _has(first, name))
            parts["key"] = gr.Textbox(
                label=t("trackers.key"),
                info=t("trackers.key.help"),
                type="password",
                max_lines=1,
                visible=named(first).keyed,
                elem_id="tracker-key",
            )
        with gr.Row():
            parts["on"] = gr.Button(t("trackers.turn_on"), variant="primary", scale=0, elem_id="tracker-on")
            parts["off"] = gr.Button(t("trackers.turn_off"), scale=0, elem_id="tracker-off")
        parts["told"] = panel("tracker-told")
    section = TrackersPanel(studio, parts)
    on_open(section.drawn, parts["list"])
    chosen, options = parts["tracker"], [parts[name] for name in _FIELDS]
    chosen.input(section.chosen, [chosen], [*options, parts["key"], parts["told"]], **LIGHT)
    changed = [parts["list"], parts["told"], parts["key"]]
    for button, handler, inputs in (
        ("on", section.turned_on, [chosen, parts["key"], *options]),
        ("off", section.turned_off, [chosen]),
    ):
        parts[button].click(handler, inputs, changed, trigger_mode="once", **ASKED)


class TrackersPanel(Handlers):
    def drawn(self, request: gr.Request) -> Markup:
        return listed(self.studio, language_of(request))

    @safely
    def chosen(self, request: gr.Request, name: str) -> Updates:
        """The options of one tracker, with the values that were kept."""
        tracker = named(str(name))
        values = self._switches()[tracker.name].checked(tracker).model_dump()
        shown = {
            field: gr.update(value=values.get(field, ""), visible=_has(tracker.name, field))
            for field in _FIELDS
        }
        return self._updates(**shown, key=gr.update(value="", visible=tracker.keyed), told="")

    @safely
    def turned_on(self, request: gr.Request, name: str, key: str, *values: Any) -> Updates:
        tracker = named(str(name))
        given = dict(zip(_FIELDS, values, strict=True))
        # An empty field is the default, as on every form.
        options = {
            field.name: str(given[field.name])[:_LONGEST] for field in tracker.fields if given[field.name]
        }
        key = str(key or "")[:_LONGEST] if tracker.keyed else ""
        switch = switches.switch(self.studio.settings, tracker.name, True, options, key)
        return self._said(request, "turned_on", tracker.name, switch)

    @safely
    def turned_off(self, request: gr.Request, name: str) -> Updates:
        switch = switches.switch(self.studio.settings, str(name), False)
        return self._said(request, "turned_off", str(name), switch)

    def _said(self, request: gr.Request, key: str, name: str, switch: Switch) -> Updates:
        language = language_of(request)
        where, title = _place(self.studio, name, switch), say(f"trackers.{name}", language)
        told = notice("good", say(f"trackers.{key}", language, title=title, where=where))
        return self._updates(list=listed(self.studio, language), told=told, key="")

    def _switches(self) -> dict[str, Switch]:
        return switches.switches(self.studio.settings.home / switches.FILE)


def _has(tracker: str, option: str) -> bool:
    return any(field.name == option for field in named(tracker).fields)


def _place(studio: Studio, name: str, switch: Switch) -> str:
    """The address that it is sent to, or the folder where it is kept."""
    tracker = named(name)
    address = tracker.address(switch.checked(tracker), switch.key.get_secret_value())
    return address or str(studio.settings.home / FOLDER / name)


def listed(studio: Studio, language: str) -> Markup:
    """All trackers, without their keys."""
    known = switches.switches(studio.settings.home / switches.FILE)
    heads = [say(f"trackers.{name}", language) for name in ("tracker", "state", "logs_to", "key")]
    rows = []
    for name, switch in known.items():
        state = "on" if switch.on else "off"
        kind = "succeeded" if switch.on else "cancelled"
        badge = html('<span class="ts-badge ts-badge-{}">{}</span>', kind, say(f"trackers.{state}", language))
        stored = bool(switch.key.get_secret_value())
        title = html(
            '<strong>{}</strong><br><span class="ts-muted">{}</span>',
            say(f"trackers.{name}", language),
            say(f"trackers.{name}.help", language),
        )
        place = html('<span class="ts-mono">{}</span>', _place(studio, name, switch))
        rows.append([title, badge, place, say("trackers.key_stored", language) if stored else NOTHING])
    return table(heads, rows)
