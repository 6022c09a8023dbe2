"""Notifications: by which channels somebody is told of runs, of what, and what was told."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr
from fastapi import APIRouter, Request
from markupsafe import Markup

from app.access import current_user
from app.files import mounts
from app.i18n import language_of, phrases, say, t
from app.parts.events import ASKED, on_open
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import ago, empty, heading, html, join, notice, panel, table
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Notice, NoticeChannel
from studio_core.notices import register
from studio_core.notices.channels import CHANNELS, webhook
from studio_core.notices.rules import DEFAULT, RULES
from studio_core.runs.engine_process import ensure_engine

NAME = "notices"
PATH = "/notices"
WITHIN = "runs"

_ACT = """
element.addEventListener('click', (event) => {
	const button = event.target.closest('[data-channel]');
	if (!button) return;
	button.disabled = true;
	const asked = { channel: Number(button.dataset.channel) };
	if (button.dataset.act === 'test') trigger('test', asked);
	else trigger('remove', asked);
});
"""


def build(studio: Studio) -> None:
    heading("notices.title", "notices.lead", level=1)
    with gr.Column(elem_classes="ts-card", elem_id="notices-browser"):
        heading("notices.browser_head", "notices.browser_lead")
        allow = panel("notices-allow", js_on_load=mounts("js/notices_page.js"))
    with gr.Column(elem_classes="ts-card", elem_id="notices-add"):
        heading("notices.add_head")
        with gr.Row(equal_height=False):
            kind = gr.Radio(
                [(t(f"notices.channel_{name}"), name) for name in CHANNELS],
                value="webhook",
                label=t("notices.kind"),
                elem_id="notices-kind",
            )
            target = gr.Textbox(
                label=t("notices.target"),
                info=t("notices.target_info"),
                max_lines=1,
                elem_id="notices-target",
            )
        rules = gr.CheckboxGroup(
            [(t(f"notices.rule_{name}"), name) for name in RULES],
            value=list(DEFAULT),
            label=t("notices.rules"),
            elem_id="notices-rules",
        )
        meaning = panel("notices-meaning")
        add = gr.Button(t("notices.add"), variant="primary", scale=0, elem_id="notices-save", min_width=140)
    told, listed, history = (
        panel("notices-told"),
        panel("notices-list", js_on_load=_ACT),
        panel("notices-history"),
    )
    parts = {
        "allow": allow,
        "meaning": meaning,
        "told": told,
        "listed": listed,
        "history": history,
        "target": target,
    }
    page = NoticesPage(studio, parts)
    on_open(page.opened, [allow, meaning, listed, history])
    outputs = [told, listed, history, target]
    add.click(page.added, [kind, target, rules], outputs, trigger_mode="once", **ASKED)
    for event, handler in ((listed.test, page.tested), (listed.remove, page.removed)):
        event(handler, None, outputs, trigger_mode="once", **ASKED)


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()

    @router.get("/api/notices")
    def news(request: Request, after: int = 0) -> dict[str, Any]:
        """What open pages have to show that is newer than the notice ``after``."""
        found = register.for_pages(studio, current_user(request), max(0, min(after, 2**62)))
        shown = [
            {"id": one.id, "title": one.body["title"], "text": one.body["text"], "run": one.job_id}
            for one in found
        ]
        return {"notices": shown}

    return router


class NoticesPage(Handlers):
    """Each handler concerns the channels of whoever asks, and nobody else's."""

    def opened(self, request: gr.Request) -> Updates:
        language = language_of(request)
        return {**self._updates(allow=_allow(language), meaning=_meaning(language)), **self.drawn(request)}

    def drawn(self, request: gr.Request) -> Updates:
        account, language = current_user(request), language_of(request)
        return self._updates(
            listed=listing(register.all_channels(self.studio, account), language),
            history=told_listing(register.told(self.studio, account), language),
        )

    @safely
    def added(self, kind: str, target: str, rules: list[str], request: gr.Request) -> Updates:
        language = language_of(request)
        names = [str(name) for name in rules] if isinstance(rules, list) else []
        channel = register.add(
            self.studio,
            str(kind),
            str(target or ""),
            names,
            account=current_user(request),
            language=language,
            studio_address=str(request.request.base_url).rstrip("/"),
        )
        ensure_engine(self.studio)  # It is the engine that sends.
        words: Markup | str = _sentence("saved", channel, language)
        if channel.kind == "webhook":
            secret = webhook.secret_of(self.studio, channel)
            note = say("notices.secret_note", language)
            words = html(
                "{}<p>{} <code class='ts-mono' id='notices-secret'>{}</code></p>", words, note, secret
            )
        return {**self._updates(told=notice("good", words), target=""), **self.drawn(request)}

    @safely
    def tested(self, event: gr.EventData, request: gr.Request) -> Updates:
        language, account = language_of(request), current_user(request)
        channel = register.get(self.studio, _number(event), account)
        sent = register.test(self.studio, channel.id, account)
        if sent.error:
            words, kind = say("notices.test_failed", language, reason=sent.error), "bad"
        else:
            key = "test_waits" if channel.kind == "browser" else "test_sent"
            words, kind = say(f"notices.{key}", language), "good"
        return {**self._updates(told=notice(kind, words)), **self.drawn(request)}  # type: ignore[arg-type]

    @safely
    def removed(self, event: gr.EventData, request: gr.Request) -> Updates:
        channel = register.remove(self.studio, _number(event), current_user(request))
        words = _sentence("removed", channel, language_of(request))
        return {**self._updates(told=notice("good", words)), **self.drawn(request)}


def listing(channels: Any, language: str) -> Markup:
    """The channels, with what each tells and its buttons."""
    phrase = phrases("notices.", language)
    if not channels:
        return empty(phrase("none"))
    heads = [phrase("kind"), phrase("rules"), phrase("actions")]
    return html("<h2>{}</h2>{}", phrase("list_head"), table(heads, [_row(one, language) for one in channels]))


def _row(channel: NoticeChannel, language: str) -> list[Any]:
    phrase = phrases("notices.", language)
    where = html(
        '<strong>{}</strong><br><span class="ts-muted ts-mono">{}</span>',
        phrase(f"channel_{channel.kind}"),
        register.shown(channel.kind, channel.target),
    )
    rules = say("shell.comma", language).join(
        phrase(f"rule_{name}") for name in channel.rules if name in RULES
    )
    buttons = join(
        (
            html(
                '<button type="button" class="ts-button" data-act="{}" data-channel="{}">{}</button>',
                act,
                channel.id,
                phrase(act),
            )
            for act in ("test", "remove")
        ),
        " ",
    )
    return [where, rules, buttons]


def told_listing(told: list[tuple[Notice, NoticeChannel]], language: str) -> Markup:
    """The newest notices, and whether each arrived."""
    if not told:
        return Markup()
    phrase = phrases("notices.", language)
    colours = {"sent": "good", "waits": "warn", "given_up": "bad"}
    rows = []
    for one, channel in told:
        state = register.state_of(one)
        words = html(
            '<span class="ts-badge ts-badge-{}">{}</span>', colours[state], phrase(f"notice_{state}")
        )
        error = html('<br><span class="ts-muted">{}</span>', one.error) if one.error else Markup()
        rows.append(
            [
                ago(one.created_at, language),
                phrase(f"channel_{channel.kind}"),
                one.body["text"],
                words + error,
            ]
        )
    heads = [phrase("told_when"), phrase("kind"), phrase("told_text"), phrase("told_state")]
    return html("<h2>{}</h2>{}", phrase("told_head"), table(heads, rows))


def _sentence(key: str, channel: NoticeChannel, language: str) -> str:
    target = register.shown(channel.kind, channel.target)
    return say(
        f"notices.{key}", language, channel=say(f"notices.channel_{channel.kind}", language), target=target
    )


def _meaning(language: str) -> Markup:
    """What each rule is about."""
    phrase = phrases("notices.", language)
    pairs = join(
        html("<dt>{}</dt><dd>{}</dd>", phrase(f"rule_{name}"), phrase(f"rule_{name}_help")) for name in RULES
    )
    return html(
        '<details><summary>{}</summary><dl class="ts-rules">{}</dl></details>', phrase("meaning"), pairs
    )


_STATES = ("on", "off", "denied", "missing", "insecure", "switch_on", "switch_off")


def _allow(language: str) -> Markup:
    """Where ``static/js/notices_page.js`` says what the browser allows, with its button."""
    words = {name: say(f"notices.browser_{name}", language) for name in _STATES}
    return html('<div id="notices-permission" data-words="{}"></div>', json.dumps(words, ensure_ascii=False))


def _number(event: gr.EventData) -> int:
    asked = event._data if isinstance(event._data, dict) else {}
    number = asked.get("channel")
    if type(number) is not int:
        raise BadInput("notices.no_channel", channel=str(number)[:20])
    return number
