"""The mail server on the Settings page. Its password goes in and never comes out."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, say, t
from app.parts.events import ASKED, on_open
from app.parts.handlers import Updates, safely
from app.parts.html import heading, html, notice, panel
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.notices.channels import mail

FIELDS = ("host", "port", "security", "sender", "user", "password")


def mail_panel(studio: Studio) -> None:
    """Draw the section; its button changes ``mail.json``."""
    home = studio.settings.home
    with gr.Column(elem_classes="ts-card", elem_id="settings-mail"):
        heading("notices.mail_head", "notices.mail_lead")
        kept = panel("mail-kept")
        with gr.Row():
            host = _text("host")
            port = gr.Number(
                587, precision=0, minimum=1, maximum=65535, label=t("notices.mail_port"), elem_id="mail-port"
            )
            security = gr.Dropdown(
                [(t(f"notices.mail_security_{name}"), name) for name in ("starttls", "tls", "none")],
                value="starttls",
                label=t("notices.mail_security"),
                elem_id="mail-security",
            )
        with gr.Row():
            sender, user, password = _text("sender"), _text("user"), _text("password", type="password")
        save = gr.Button(t("notices.mail_save"), variant="primary", scale=0, elem_id="mail-save")
        told = panel("mail-told")

    def draw(request: gr.Request) -> Markup:
        return drawn(studio, language_of(request))

    def saved(request: gr.Request, *values: Any) -> Updates:
        given = dict(zip(FIELDS, values, strict=True))
        number = given.pop("port")
        if isinstance(number, bool) or not isinstance(number, int | float) or number != int(number):
            raise BadInput("notices.bad_mail_server", name="port", value=str(number)[:20], reason="1-65535")
        texts = {name: str(value or "")[:1000] for name, value in given.items()}
        server = mail.keep_server(home, port=int(number), **texts)
        language = language_of(request)
        sentence = say("notices.mail_server_saved", language, host=server.host)
        return {kept: drawn(studio, language), told: notice("good", sentence), password: ""}

    on_open(draw, kept)
    fields = [host, port, security, sender, user, password]
    save.click(safely(saved), fields, [kept, told, password], trigger_mode="once", **ASKED)


def _text(field: str, **more: Any) -> gr.Textbox:
    return gr.Textbox(label=t(f"notices.mail_{field}"), max_lines=1, elem_id=f"mail-{field}", **more)


def drawn(studio: Studio, language: str) -> Markup:
    """The server that is kept, without its password."""
    server = mail.server(studio.settings.home)
    if server is None:
        return html('<p class="ts-muted">{}</p>', say("notices.mail_none", language))
    security = say(f"notices.mail_security_{server.security}", language)
    line = f"{server.sender} · {server.host}:{server.port} · {security}"
    return html('<p><strong class="ts-mono">{}</strong></p>', line)
