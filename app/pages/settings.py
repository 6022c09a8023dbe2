"""Settings: language and theme, where everything lies, what is installed, and whether it is well."""

from __future__ import annotations

import gradio as gr
from markupsafe import Markup

from app.access import ADMINISTRATORS
from app.document import THEMES
from app.i18n import Phrase, cookie, language_of, phrases, say, t
from app.parts.events import on_open
from app.parts.handlers import Updates, safely
from app.parts.html import heading, html, join, notice, panel, table
from app.parts.mail_panel import mail_panel
from app.parts.services_panel import services_panel
from app.parts.trackers_panel import trackers_panel
from studio_core import texts
from studio_core.base import about
from studio_core.base.settings import PREFIX, Settings
from studio_core.base.studio import Studio
from studio_core.machine import doctor

NAME = "settings"
PATH = "/settings"
ROLES = ADMINISTRATORS


def build(studio: Studio) -> None:
    body = panel("settings-body")
    with gr.Column(elem_classes="ts-card", elem_id="settings-check"):
        heading("shell.settings_check", "shell.settings_check_lead")
        with gr.Row():
            check = gr.Button(t("shell.settings_check_now"), elem_id="check-now", size="sm", scale=0)
            mend = gr.Button(
                t("shell.settings_repair"), elem_id="repair-now", size="sm", scale=0, visible=False
            )
        result = panel("check-result")

    def draw(request: gr.Request) -> Markup:
        return page(studio, language_of(request), cookie(request, "theme") or "auto")

    @safely
    def examine(request: gr.Request) -> Updates:
        return examined(request, [])

    @safely
    def repair(request: gr.Request) -> Updates:
        return examined(request, doctor.repair(doctor.examine(studio, language_of(request))))

    def examined(request: gr.Request, repairs: list[str]) -> Updates:
        checks = doctor.examine(studio, language_of(request))
        notices = join(notice("good", sentence) for sentence in repairs)
        return {
            result: html("{}{}", notices, _checks(checks, language_of(request))),
            mend: gr.update(visible=any(check.repair for check in checks)),
        }

    services_panel(studio)
    trackers_panel(studio)
    mail_panel(studio)
    on_open(draw, body)
    for button, handler in ((check, examine), (mend, repair)):
        button.click(handler, outputs=[result, mend], api_visibility="private", show_progress="minimal")


def page(studio: Studio, language: str, theme: str) -> Markup:
    """Everything but the check, which is made on demand."""
    phrase = phrases("shell.settings_", language)
    languages = [(code, name, code == language) for code, name in texts.LANGUAGES.items()]
    themes = [(name, say(f"shell.theme_{name}", language), name == theme) for name in THEMES]
    look = html(
        '<section class="ts-card"><h2>{}</h2><div class="ts-choices">{}{}</div></section>',
        phrase("look"),
        _switch("lang", say("shell.language", language), languages),
        _switch("choice", say("shell.theme", language), themes),
    )
    head = html(
        '<header class="ts-head"><h1>{}</h1><p>{} <a href="/storage">{}</a></p></header>',
        phrase("title"),
        phrase("lead"),
        say("shell.nav_storage", language),
    )
    return html(
        '<div class="ts-stack">{}{}{}{}</div>',
        head,
        look,
        _settings(studio, phrase),
        _versions(studio, phrase),
    )


def _switch(kind: str, label: str, choices: list[tuple[str, str, bool]]) -> Markup:
    """The same buttons as in the navigation; ``shell.js`` listens to both."""
    buttons = join(
        html(
            '<button type="button" data-{}="{}" aria-pressed="{}">{}</button>',
            kind,
            code,
            "true" if chosen else "false",
            name,
        )
        for code, name, chosen in choices
    )
    return html(
        '<div class="ts-choice"><span class="ts-muted">{0}</span>'
        '<div class="ts-switch" role="group" aria-label="{0}">{1}</div></div>',
        label,
        buttons,
    )


def _settings(studio: Studio, phrase: Phrase) -> Markup:
    rows = [
        [
            html(
                '<strong class="ts-mono">{}</strong><br><span class="ts-muted">{}</span>',
                f"{PREFIX}{name.upper()}",
                phrase(f"of_{name}"),
            ),
            html('<span class="ts-mono">{}</span>', str(getattr(studio.settings, name)) or phrase("unset")),
        ]
        for name in Settings.model_fields
    ]
    return html(
        "<section><h2>{}</h2><p class='ts-muted'>{}</p>{}</section>",
        phrase("values"),
        phrase("how"),
        table([phrase("setting"), phrase("value")], rows),
    )


def _versions(studio: Studio, phrase: Phrase) -> Markup:
    pairs = join(
        html("<div><dt>{}</dt><dd class='ts-mono'>{}</dd></div>", name, version)
        for name, version in about.versions(studio).items()
    )
    return html(
        '<section class="ts-card"><h2>{}</h2><dl class="ts-facts">{}</dl></section>',
        phrase("versions"),
        pairs,
    )


def _checks(checks: list[doctor.Check], language: str) -> Markup:
    rows = [
        [
            html(
                '<span class="ts-badge ts-badge-{}">{}</span>',
                check.state,
                say(f"shell.check_{check.state}", language),
            ),
            check.name,
            check.detail,
        ]
        for check in checks
    ]
    headers = [say(f"shell.settings_check_{name}", language) for name in ("state", "what", "detail")]
    return table(headers, rows)
