"""Letting a model run code of its own: a box for administrators, who give their password once more."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.access import current_user
from app.i18n import t
from studio_core.base.studio import Studio
from studio_core.models import own_code
from studio_core.models.own_code import Consent
from studio_core.people import accounts
from studio_core.people.accounts import Role


def fields(studio: Studio, trust: gr.Checkbox, elem_id: str) -> gr.Textbox:
    """The place for the password, which is shown with the box ticked; call it where it is to stand."""
    password = gr.Textbox(
        label=t("models.code_password"),
        info=t("models.code_password_help"),
        type="password",
        max_lines=1,
        max_length=accounts.LONGEST,
        visible=False,
        elem_id=elem_id,
    )

    def ticked(trust: bool) -> Any:
        return gr.update(visible=trust is True and accounts.any_accounts(studio))

    trust.change(ticked, [trust], [password], queue=False, show_progress="hidden", api_visibility="private")
    return password


def offered(request: gr.Request) -> Any:
    """The box, for those who may tick it."""
    return gr.update(visible=current_user(request).role is Role.ADMINISTRATOR)


def consent(studio: Studio, source: str, trust: Any, password: Any, request: gr.Request) -> Consent | None:
    """The consent that a form asks for; raises ``BadInput`` for somebody who may not give it."""
    if trust is not True:
        return None
    address = request.client.host if request.client else ""
    return own_code.consent(
        studio, source, current_user(request), password=str(password or ""), address=address
    )
