"""Services on the Settings page: which there are; adding, trying and removing one. Keys go in and never come out."""

from __future__ import annotations

import time
from typing import Any

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, say, t
from app.parts.events import ASKED, on_open
from app.parts.handlers import safely
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
        told = panel("service-told")

    def draw(request: gr.Request) -> Markup:
        return drawn(studio, language_of(request))

    def added(request: gr.Request, *given: Any) -> list[Any]:
        *texts, cost_in, cost_out = given
        named = [str(text or "")[:5000] for text in texts]
        kept = services.add(file, *named, price_in=cost_in or 0.0, price_out=cost_out or 0.0)
        language = language_of(request)
        notes = [say(f"generation.note_{note}", language) for note in kept.notes]
        sentence = " ".join([say("generation.service_kept", language, name=kept.name), *notes])
        kind = "warn" if "plain" in kept.notes else "good"
        return [drawn(studio, language), notice(kind, sentence), ""]

    def tried(request: gr.Request, name: str) -> Markup:
        service = services.get(file, str(name or "").strip())
        began = time.monotonic()
        question = [{"role": "user", "content": "Say OK."}]
        answer = ask_once(service, question, greedy(16), TRY_SECONDS)
        return notice(
            "good",
            say(
                "generation.service_works",
                language_of(request),
                name=service.name,
                answer=answer.text[:200],
                seconds=time.monotonic() - began,
                tokens=answer.tokens_in + answer.tokens_out,
            ),
        )

    def removed(request: gr.Request, name: str) -> list[Any]:
        name, language = str(name or "").strip(), language_of(request)
        services.remove(file, name)
        return [
            drawn(studio, language),
            notice("good", say("generation.service_removed", language, name=name)),
        ]

    on_open(draw, listed)
    given = [name, address, model, key, price_in, price_out]
    add.click(safely(added), given, [listed, told, key], trigger_mode="once", **ASKED)
    test.click(safely(tried), [name], told, trigger_mode="once", **ASKED)
    remove.click(safely(removed), [name], [listed, told], trigger_mode="once", **ASKED)


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
    known = services.all_services(studio.settings.home / services.FILE)
    if not known:
        return html('<p class="ts-muted">{}</p>', say("generation.services_none", language))
    heads = [
        say(f"generation.service.{field}", language)
        for field in ("name", "address", "model", "key", "price_in", "price_out")
    ]
    rows = [
        [
            one.name,
            one.address,
            one.model,
            say("generation.service_has_key", language) if one.key.get_secret_value() else NOTHING,
            f"{one.price_in:g}",
            f"{one.price_out:g}",
        ]
        for one in known
    ]
    return table(heads, rows)
