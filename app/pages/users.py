"""Accounts: who may sign in, and what each may do. For administrators only."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.access import ADMINISTRATORS, current_user
from app.i18n import language_of, say, t
from app.parts.events import ASKED, on_open
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import ago, empty, heading, html, notice, panel, table
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import User
from studio_core.people import accounts, sign_in
from studio_core.people.accounts import Role

NAME = "users"
PATH = "/users"
ROLES = ADMINISTRATORS


def build(studio: Studio) -> None:
    head = panel("users-head")
    told = panel("users-told")
    listed = panel("users-list")
    roles = [(t(f"accounts.role_{role}"), role.value) for role in Role]
    again = gr.Textbox(
        label=t("accounts.your_password"),
        info=t("accounts.your_password_help"),
        type="password",
        elem_id="user-again",
        max_lines=1,
        max_length=accounts.LONGEST,
        visible=False,
    )
    with gr.Column(elem_classes="ts-card", elem_id="users-add"):
        heading("accounts.add_title")
        with gr.Row(equal_height=False):
            name = gr.Textbox(
                label=t("accounts.new_name"),
                info=t("accounts.new_name_info"),
                elem_id="user-name",
                max_lines=1,
            )
            password = gr.Textbox(
                label=t("accounts.new_password"),
                info=t("accounts.new_password_info"),
                type="password",
                elem_id="user-password",
                max_lines=1,
            )
            role = gr.Radio(
                roles, value=Role.ADMINISTRATOR.value, label=t("accounts.new_role"), elem_id="user-role"
            )
        add = gr.Button(t("accounts.add"), variant="primary", elem_id="user-add", scale=0)
    with gr.Column(elem_classes="ts-card", elem_id="users-change", visible=False) as change:
        heading("accounts.change_title")
        with gr.Row(equal_height=False):
            who = gr.Dropdown([], label=t("accounts.who"), elem_id="user-who")
            new_role = gr.Radio(
                roles, value=Role.ANNOTATOR.value, label=t("accounts.new_role"), elem_id="user-new-role"
            )
        with gr.Row():
            give = gr.Button(t("accounts.set_role"), elem_id="user-set-role", size="sm", scale=0)
            reset = gr.Button(t("accounts.reset"), elem_id="user-reset", size="sm", scale=0, min_width=210)
            disable = gr.Button(t("accounts.disable"), elem_id="user-disable", size="sm", scale=0)
            enable = gr.Button(t("accounts.enable"), elem_id="user-enable", size="sm", scale=0)

    drawn = [head, listed, change, who, again]
    parts = {
        "head": head, "listed": listed, "change": change, "who": who, "again": again, "role": role, "told": told,
        "name": name, "password": password,
    }  # fmt: skip
    page = UsersPage(studio, parts)
    on_open(page.open, [*drawn, role])
    add.click(safely(page.add), [name, role, password, again], [told, name, password, *drawn], **ASKED)
    give.click(safely(page.set_role), [who, new_role, again], [told, *drawn], **ASKED)
    for button, handler in ((reset, page.reset), (disable, page.disable), (enable, page.enable)):
        button.click(safely(handler), [who, again], [told, *drawn], **ASKED)


class UsersPage(Handlers):
    """The handlers: each changes one account, and draws the page anew."""

    def draw(self, request: gr.Request, chosen: User | None = None) -> Updates:
        """The page, with nobody chosen but the one to whom something was just done."""
        users = accounts.all_accounts(self.studio)
        names = gr.Dropdown(choices=[user.name for user in users], value=chosen.name if chosen else None)
        language = language_of(request)
        visible = gr.update(visible=bool(users))
        return self._updates(
            head=_head(language), listed=listing(users, language), change=visible, who=names, again=visible
        )

    def open(self, request: gr.Request) -> Updates:
        """The first account has to be an administrator's; after it, the least role is offered."""
        first = not accounts.any_accounts(self.studio)
        role = Role.ADMINISTRATOR if first else Role.ANNOTATOR
        return {**self.draw(request), **self._updates(role=role.value)}

    def _confirm(self, again: Any, request: gr.Request) -> None:
        """Who changes accounts gives the own password: a screen that was left open is not enough."""
        if accounts.any_accounts(self.studio):
            address = request.client.host if request.client else ""
            sign_in.confirm(self.studio, current_user(request), str(again or ""), address)

    def add(self, name: str, role: str, password: str, again: str, request: gr.Request) -> Updates:
        self._confirm(again, request)
        first = not accounts.any_accounts(self.studio)
        first_password = password or accounts.one_time_password()
        user = accounts.add(self.studio, str(name), str(role), str(first_password), one_time=not password)
        language = language_of(request)
        told = html("{}", self._sentence("added", language, user))
        if not password:
            told = html("{}{}", told, handed_out(user, first_password, language))
        if first:
            told = html('{}<p><a href="/sign-in">{}</a></p>', told, say("accounts.first_added", language))
        emptied = self._updates(told=notice("good", told), name="", password="")
        return {**emptied, **self.draw(request, user)}

    def set_role(self, name: str, role: str, again: str, request: gr.Request) -> Updates:
        self._confirm(again, request)
        user = accounts.set_role(self.studio, _chosen(name), str(role))
        return self._done("role_now", user, request)

    def disable(self, name: str, again: str, request: gr.Request) -> Updates:
        self._confirm(again, request)
        return self._done("disabled_now", accounts.set_disabled(self.studio, _chosen(name), True), request)

    def enable(self, name: str, again: str, request: gr.Request) -> Updates:
        self._confirm(again, request)
        return self._done("enabled_now", accounts.set_disabled(self.studio, _chosen(name), False), request)

    def reset(self, name: str, again: str, request: gr.Request) -> Updates:
        self._confirm(again, request)
        password = accounts.one_time_password()
        user = accounts.set_password(self.studio, _chosen(name), password, one_time=True)
        language = language_of(request)
        told = html(
            "{}{}", self._sentence("password_set", language, user), handed_out(user, password, language)
        )
        return {**self._updates(told=notice("good", told)), **self.draw(request, user)}

    def _done(self, key: str, user: User, request: gr.Request) -> Updates:
        told = notice("good", self._sentence(key, language_of(request), user))
        return {**self._updates(told=told), **self.draw(request, user)}

    def _sentence(self, key: str, language: str, user: User) -> str:
        role = say(f"accounts.role_{user.role}", language)
        return say(f"accounts.{key}", language, name=user.name, role=role)


def handed_out(user: User, password: str, language: str) -> Markup:
    """A one-time password, the only time that it is seen."""
    return html(
        '<p>{} <code id="one-time" class="ts-mono">{}</code></p><p class="ts-muted">{}</p>',
        say("accounts.handed_out", language, name=user.name),
        password,
        say("accounts.handed_out_note", language),
    )


def listing(users: list[User], language: str) -> Markup:
    """Everybody, or what it means that there is nobody."""
    if not users:
        return empty(say("accounts.none", language))
    columns = ("name", "role", "state", "signed_in", "created")
    return table(
        [say(f"accounts.column_{column}", language) for column in columns],
        [_row(user, language) for user in users],
        say("accounts.list", language),
    )


def _row(user: User, language: str) -> list[Any]:
    state = "disabled" if user.disabled else "must_change" if user.must_change else "enabled"
    colour = {"disabled": "bad", "must_change": "warn", "enabled": "good"}[state]
    shown = html(
        '<span class="ts-badge ts-badge-{}">{}</span>', colour, say(f"accounts.state_{state}", language)
    )
    last_time = ago(user.signed_in_at, language) if user.signed_in_at else say("accounts.never", language)
    role = say(f"accounts.role_{user.role}", language)
    return [html("<strong>{}</strong>", user.name), role, shown, last_time, ago(user.created_at, language)]


def _head(language: str) -> Markup:
    return html(
        '<header class="ts-head"><h1>{}</h1><p>{}</p></header>',
        say("accounts.title", language),
        say("accounts.lead", language),
    )


def _chosen(name: Any) -> str:
    if not name:
        raise BadInput("accounts.choose_first")
    return str(name)
