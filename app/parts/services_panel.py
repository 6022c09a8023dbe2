"""Services on the Settings page: which there are; adding, trying and removing one. Keys go in and never come out."""

from __future__ import annotations

import time
from typing import Any

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, say, t
from app.parts.events import ASKED, on_open
from app.parts.handlers import Updates, safely
from app.parts.html import NOTHING, heading, html, notice, panel, table
from studio_core.base.studio import Studio
from studio_core.generation import services
from studio_core.generation.asking import ask_once
from studio_core.generation.sampling import greedy

# A service that wakes up takes some seconds; longer nobody looks at a button.
TRY_SECONDS = 20.0


def services_panel(studio: Studio) -> None:
    """Draw the section; its buttons change ``services.json``."""
    file = studio.settings.home / services.FILE
    with gr.Column(elem_classes="ts-card", elem_id="settings-services"):
        heading("generation.services_head", "generation.services_lead")
        listed = panel("services-list")
        with gr.Row():
            name, address, model = (_text(field) for field in ("name", "address", "model"))
        with gr.Row():
            key = _text("key", type="password")
            price_in, price_out = (
                gr.Number(
                    0,
                    minimum=0,
                    label=t(f"generation.service.{field}"),
                    info=t(f"generation.service.{field}.help"),
                    elem_id=f"service-{field}",
                )
                for field in ("price_in", "price_out")
            )
        with gr.Row():
            add = gr.Button(t("generation.service_add"), variant="primary", scale=0, elem_id="service-add")
            test = gr.Button(t("generation.service_test"), scale=0, elem_id="service-test")
            remove = gr.Button(t("generation.service_remove"), scale=0, elem_id="service-remove")
        answer = panel("service-told")

    def draw(request: gr.Request) -> Markup:
        return drawn(studio, language_of(request))

    def added(request: gr.Request, *values: Any) -> Updates:
        *texts, cost_in, cost_out = values
        named = [str(text or "")[:5000] for text in texts]
        service = services.add(file, *named, price_in=cost_in or 0.0, price_out=cost_out or 0.0)
        language = language_of(request)
        notes = [say(f"generation.note_{note}", language) for note in service.notes]
        sentence = " ".join([say("generation.service_kept", language, name=service.name), *notes])
        kind = "warn" if "plain" in service.notes else "good"
        return {listed: drawn(studio, language), answer: notice(kind, sentence), key: ""}

    def tried(request: gr.Request, name: str) -> Markup:
        service = services.get(file, str(name or "").strip())
        began = time.monotonic()
        question = [{"role": "user", "content": "Say OK."}]
        reply = ask_once(service, question, greedy(16), TRY_SECONDS)
        return notice(
            "good",
            say(
                "generation.service_works",
                language_of(request),
                name=service.name,
                answer=reply.text[:200],
                seconds=time.monotonic() - began,
                tokens=reply.tokens_in + reply.tokens_out,
            ),
        )

    def removed(request: gr.Request, name: str) -> Updates:
        name, language = str(name or "").strip(), language_of(request)
        services.remove(file, name)
        sentence = say("generation.service_removed", language, name=name)
        return {listed: drawn(studio, language), answer: notice("good", sentence)}

    on_open(draw, listed)
    fields = [name, address, model, key, price_in, price_out]
    add.click(safely(added), fields, [listed, answer, key], trigger_mode="once", **ASKED)
    test.click(safely(tried), [name], answer, trigger_mode="once", **ASKED)
    remove.click(safely(removed), [name], [listed, answer], trigger_mode="once", **ASKED)


def _text(field: str, **more: Any) -> gr.Textbox:
    return gr.Textbox(
        label=t(f"generation.service.{field}"),
        info=t(f"generation.service.{field}.help"),
        max_lines=1,
        elem_id=f"service-{field}",
        **more,
    )


def drawn(studio: Studio, language: str) -> Markup:
    """All services, without their keys."""
    listed = services.all_services(studio.settings.home / services.FILE)
    if not listed:
        return html('<p class="ts-muted">{}</p>', say("generation.services_none", language))
    heads = [
        say(f"generation.service.{field}", language)
        for field in ("name", "address", "model", "key", "price_in", "price_out")
    ]
    rows = [
        [
            service.name,
            service.address,
            service.model,
            say("generation.service_has_key", language) if service.key.get_secret_value() else NOTHING,
            f"{service.price_in:g}",
            f"{service.price_out:g}",
        ]
        for service in listed
    ]
    return table(heads, rows)
