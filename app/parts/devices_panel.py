"""The devices as they are now: how busy, how full, how warm, and which run holds each."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, say
from app.parts.events import LIGHT, on_open
from app.parts.handlers import safely
from app.parts.html import NOTHING, html, join, panel, size
from studio_core.base.studio import Studio
from studio_core.machine import machine
from studio_core.machine.machine import DeviceNow


def devices_panel(studio: Studio, timer: gr.Timer) -> None:
    """The panel, filled when the page is opened and at each tick of the page's timer."""
    place, shown = panel("devices"), gr.State("")
    devices = machine.Machine(studio)

    @safely
    def draw(before: str, request: gr.Request) -> Any:
        now = str(drawn(devices.now(), language_of(request)))
        return gr.skip() if now == before else {place: now, shown: now}

    on_open(draw, [place, shown], [shown])
    timer.tick(draw, [shown], [place, shown], **LIGHT)


def drawn(devices: list[DeviceNow], language: str) -> Markup:
    cards = join(_card(device, language) for device in devices)
    title = say("devices.title", language)
    return html('<section class="ts-devices" aria-label="{}">{}</section>', title, cards)


def _card(device: DeviceNow, language: str) -> Markup:
    name = device.label or say("devices.processor", language, cores=machine.cores())
    memory = None if device.used is None else 100 * device.used / max(1, device.memory)
    filled = NOTHING
    if device.used is not None:
        filled = say("devices.of", language, used=size(device.used), total=size(device.memory))
    busy = NOTHING if device.utilisation is None else f"{device.utilisation:.0f}%"
    more = _figures(device, language) if device.kind == "gpu" else Markup()
    return html(
        '<div class="ts-card ts-device"><div class="ts-device-name"><strong>{}</strong>{}</div>{}{}{}</div>',
        name,
        _holders(device, language),
        _meter(say("devices.load", language), device.utilisation, busy, name, language),
        _meter(say("devices.memory", language), memory, filled, name, language),
        more,
    )


def _meter(what: str, percent: float | None, words: str, device: str, language: str) -> Markup:
    """A bar with its words beside it; the words alone where there is no figure."""
    bar = Markup()
    if percent is not None:
        bar = html(
            '<div class="ts-meter" role="meter" aria-label="{0}" aria-valuemin="0" aria-valuemax="100"'
            ' aria-valuenow="{1}" aria-valuetext="{2}"><span class="{3}" style="width:{1}%"></span></div>',
            say("devices.meter", language, what=what, device=device),
            f"{min(100.0, max(0.0, percent)):.0f}",
            words,
            "ts-meter-full" if percent > 95 else "",
        )
    return html(
        '<div class="ts-device-row"><span class="ts-muted">{}</span><span>{}</span>{}</div>', what, words, bar
    )


def _figures(device: DeviceNow, language: str) -> Markup:
    warm = (
        NOTHING if device.temperature is None else say("devices.degrees", language, value=device.temperature)
    )
    draws = NOTHING if device.power is None else say("devices.watts", language, value=f"{device.power:.0f}")
    return html(
        '<dl class="ts-device-figures"><div><dt>{}</dt><dd>{}</dd></div><div><dt>{}</dt><dd>{}</dd></div></dl>',
        say("devices.temperature", language),
        warm,
        say("devices.power", language),
        draws,
    )


def _holders(device: DeviceNow, language: str) -> Markup:
    """Which runs hold it, or why none can."""
    if not device.reachable:
        return html('<span class="ts-device-bad">{}</span>', say("devices.lost", language))
    if device.runs:
        return join(
            html('<a href="/runs?run={}">{}</a>', run, say("devices.held", language, run=run, name=name))
            for run, name in device.runs
        )
    if device.foreign_memory:
        text = say("devices.foreign", language, size=size(device.foreign_memory))
        return html('<span class="ts-device-warn">{}</span>', text)
    return html('<span class="ts-muted">{}</span>', say("devices.free", language))
