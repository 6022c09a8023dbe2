"""Chat: the same prompt to two or more models side by side, and a vote on their answers."""

from __future__ import annotations

from typing import Any

import gradio as gr
from fastapi import APIRouter
from markupsafe import Markup

from app.files import mounts
from app.i18n import in_html, language_of, say, t
from app.parts.chat import api, chat_list, view
from app.parts.choices import named_models
from app.parts.events import ASKED, LIGHT, on_open
from app.parts.handlers import Updates, safely
from app.parts.html import heading, html, join, notice, number, panel
from app.parts.keeping import board
from studio_core import methods
from studio_core.base.errors import BadInput, NotFound, StudioError
from studio_core.base.studio import Studio
from studio_core.chat import chat_live, chat_sides, chat_votes, chats
from studio_core.chat.chats import MOST_SIDES
from studio_core.data.shapes import Shape
from studio_core.generation.sampling import setting
from studio_core.keeping import search
from studio_core.keeping.chats import CHATS
from studio_core.keeping.search import LONGEST, Query
from studio_core.models import registry

NAME = "chat"
PATH = "/chat"
_EARLIER = 100
"""Conversations beside the one that is open; their own page has all."""


def routes(studio: Studio) -> APIRouter:
    return api.routes(studio)


def build(studio: Studio) -> None:
    page = ChatPage(studio)
    heading("chat.title", level=1)
    with gr.Row(elem_classes="ts-chat"):
        with gr.Column(scale=4, min_width=320, elem_classes="ts-chat-main"):
            _models(page)
            page.history = panel("chat-history")
            page.live = panel("chat-live", js_on_load=_script())
            page.dialog = panel("chat-dialog")
            _composer(page)
        with gr.Column(scale=1, min_width=290, elem_classes="ts-chat-side"):
            _settings(page)
    page.chat = gr.State(None)
    page.connect()


def _script() -> str:
    return mounts("js/chat.js", "watch")


def _models(page: ChatPage) -> None:
    with gr.Row(elem_classes="ts-chat-models"):
        page.models = gr.Dropdown(
            [], value=[], multiselect=True, max_choices=MOST_SIDES, label=t("chat.models"),
            elem_id="chat-models", scale=5, min_width=300,
        )  # fmt: skip
        page.new = gr.Button(t("chat.new"), elem_id="chat-new", scale=0, min_width=130)


def _composer(page: ChatPage) -> None:
    with gr.Row(elem_id="chat-composer", equal_height=False):
        page.prompt = gr.Textbox(
            show_label=False, label=t("chat.prompt"), placeholder=t("chat.prompt_hint"), lines=1,
            max_lines=10, max_length=chats.LONGEST_PROMPT, elem_id="chat-prompt", scale=6, min_width=200,
            container=False,
        )  # fmt: skip
        page.send = gr.Button(t("chat.send"), variant="primary", elem_id="chat-send", scale=0, min_width=96)
        # Shown by the style sheet while answers come in; the script does what it says.
        gr.Button(t("chat.stop"), variant="stop", elem_id="chat-stop", scale=0, min_width=96)


def _settings(page: ChatPage) -> None:
    first = chats.ChatSettings()
    with gr.Accordion(t("chat.settings"), open=True, elem_id="chat-settings"):
        page.settings = {
            "system": gr.Textbox(
                label=t("chat.system"), placeholder=t("chat.system_hint"), lines=2, max_lines=8,
                max_length=20_000, elem_id="chat-system",
            ),
            "temperature": gr.Slider(value=first.temperature, step=0.05, **_limits("temperature")),
            "top_p": gr.Slider(value=first.top_p, step=0.01, **_limits("top_p")),
            "seed": gr.Number(first.seed, precision=0, **_limits("seed")),
            "max_tokens": gr.Number(first.max_tokens, precision=0, **_limits("max_tokens")),
        }  # fmt: skip
        page.settings["blind"] = gr.Checkbox(
            label=t("chat.blind"), info=t("chat.blind_help"), elem_id="chat-blind"
        )
        page.settings["shared"] = gr.Checkbox(
            first.shared, label=t("chat.shared"), info=t("chat.shared_help"), elem_id="chat-shared"
        )
    page.card = board.board("chat-card", "chat-card")
    page.export = gr.HTML(elem_id="chat-export")
    page.collect = gr.Button(t("chat.collect"), elem_id="chat-collect")
    page.collected = gr.HTML(elem_id="chat-collected")
    with gr.Accordion(t("chat.earlier"), open=True, elem_id="chat-earlier"):
        page.words = gr.Textbox(
            show_label=False, label=t("keeping.search"), placeholder=t("keeping.search_chats"), max_lines=1,
            max_length=LONGEST, elem_id="chat-search", container=False,
        )  # fmt: skip
        page.kept = board.board("chat-keep", "chat-earlier")
        page.earlier = gr.HTML()
        panel("chat-all", f'<a class="ts-button" href="{chat_list.PATH}">{in_html("chat.all_link")}</a>')


def _limits(name: str) -> dict[str, Any]:
    """Label, help and limits of one setting, as all forms have them."""
    field = setting(name)
    return {
        "minimum": field.minimum,
        "maximum": field.maximum,
        "label": t(field.title_key),
        "info": t(field.help_key),
        "elem_id": f"chat-{name.replace('_', '-')}",
    }


class ChatPage:
    """The page's components, and what happens when they are used. What is done with rounds is in ``api``."""

    models: gr.Dropdown
    new: gr.Button
    history: gr.HTML
    live: gr.HTML
    dialog: gr.HTML
    prompt: gr.Textbox
    send: gr.Button
    settings: dict[str, Any]
    card: gr.HTML
    export: gr.HTML
    collect: gr.Button
    collected: gr.HTML
    words: gr.Textbox
    kept: gr.HTML
    earlier: gr.HTML
    chat: gr.State

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def connect(self) -> None:
        """Declare the page's events."""
        settings = list(self.settings.values())
        whole = [self.chat, self.history, self.live, self.card, self.export, self.earlier]
        on_open(self.opened, [self.models, self.dialog, *settings, *whole])
        gr.on(
            [self.send.click, self.prompt.submit],
            safely(self.asked),
            inputs=[self.prompt, self.models, self.chat, *settings],
            outputs=[self.prompt, *whole],
            trigger_mode="once",
            **ASKED,
        )
        self.new.click(safely(self.emptied), None, whole, **ASKED)
        self.words.change(safely(self.searched), [self.words], [self.earlier], **LIGHT)
        board.listen(self.studio, CHATS, self.kept, self.tidied, [self.earlier], bar=False)
        board.listen(
            self.studio, CHATS, self.card, self.carded, [self.earlier], bar=False, inputs=[self.chat]
        )
        self.collect.click(safely(self.collecting), None, self.collected, trigger_mode="once", **ASKED)

    # --- events ----------------------------------------------------------------------------

    def opened(self, request: gr.Request) -> Updates:
        """The conversation that the address names, else an empty one with the models that it names."""
        query, language = dict(request.query_params), language_of(request)
        registry.ensure_demo_models(self.studio)
        chat = None
        settings = chats.ChatSettings()
        refused: list[StudioError] = []
        if query.get("chat", "").isdigit():
            try:
                chat = chats.get(self.studio, int(query["chat"][:15]))
                settings = chats.checked_settings(**chat.settings)
            except NotFound as error:
                refused.append(error)
        asked = [chat_sides.value_of(self.studio, side) for side in chat.models] if chat else []
        names = [name for name in asked if name] if chat else self._first(query, refused)
        # A checkpoint is a choice where the address names it; it is listed with its first prompt.
        offered = named_models(self.studio, registry.writers(self.studio, also=names), language)
        offered += chat_sides.services_to_ask(self.studio)
        refusals = Markup().join(notice("bad", error.sentence(language)) for error in refused)
        return {
            self.models: gr.update(choices=offered, value=names[:MOST_SIDES]),
            self.dialog: str(view.dialog(self.studio, language)),
            **{component: getattr(settings, name) for name, component in self.settings.items()},
            **self._whole(chat.id if chat else None, language, refusals),
        }

    def asked(
        self, request: gr.Request, prompt: str, models: list[str], chat_id: int | None, *values: Any
    ) -> Updates:
        """Begin a round: in this conversation, or in a new one if other models were chosen."""
        filled = {name: value for name, value in zip(self.settings, values, strict=True) if value is not None}
        settings = chats.checked_settings(**filled)
        if not isinstance(prompt, str) or not prompt.strip():
            raise BadInput("chat.empty_prompt")
        chosen = [chat_sides.find_side(self.studio, name, add=True) for name in models or []]
        chat = chats.get(self.studio, chat_id) if chat_id is not None else None
        if chat is None or chat.models != chosen:
            chat = chats.start(self.studio, chosen, settings)
        chat_live.ask(self.studio, chat.id, prompt, settings)
        return {self.prompt: "", **self._whole(chat.id, language_of(request))}

    def emptied(self, request: gr.Request) -> Updates:
        """A new conversation: it is stored with its first prompt."""
        return self._whole(None, language_of(request))

    def searched(self, request: gr.Request, words: str) -> Updates:
        """The conversations whose title or prompts hold all these words."""
        found = search.find(self.studio, CHATS, Query(str(words or "")[:LONGEST], limit=_EARLIER))
        return {self.earlier: str(view.earlier(found.rows, None, language_of(request)))}

    def tidied(self, request: gr.Request) -> Updates:
        """The list of conversations, once one was deleted or came back."""
        return {self.earlier: self._earlier(None, language_of(request))}

    def carded(self, request: gr.Request, chat_id: int | None) -> Updates:
        """What is noted on the conversation, once it was changed; nothing once it was deleted."""
        language = language_of(request)
        try:
            card = chat_list.card(self.studio, chat_id, language)
        except NotFound:
            card = Markup()
        return {self.card: card, self.earlier: self._earlier(chat_id, language)}

    def collecting(self, request: gr.Request) -> str:
        """Make a dataset of all votes, and show where to train on it."""
        language = language_of(request)
        dataset = chat_votes.votes_to_dataset(self.studio)
        _, counts = chat_votes.collect_votes(self.studio)
        text = say("chat.collected", language, dataset=f"{dataset.name}@{dataset.version}", rows=dataset.rows)
        method = methods.learning_from(Shape(dataset.shape))[0]
        link = html(
            '<a href="/train?method={}&amp;dataset={}">{}</a>',
            method.name,
            dataset.name,
            say("chat.train", language, method=say(method.title_key, language)),
        )
        left = [
            say(f"chat.left_{kind}", language, number=number(counts[kind]))
            for kind in ("tie", "both_bad", "incomplete", "leak")
            if counts[kind]
        ]
        out = html("<p>{} {}</p>", say("chat.left_out", language), ", ".join(left)) if left else Markup()
        return str(notice("good", html("{} {}{}", text, link, out)))

    # --- what is shown ---------------------------------------------------------------------

    def _first(self, query: dict[str, str], refused: list[StudioError]) -> list[str]:
        """The models that the address names, else the newest that was trained and what it was before.

        Names that cannot be chosen are added to ``refused``.
        """
        wanted: list[str | int] = [name for name in query.get("models", "").split(",") if name]
        listed = registry.writers(self.studio)
        by_id = {model.id: model for model in listed}
        run = query.get("run", "")
        trained = [m for m in listed if m.job_id is not None and (not run or str(m.job_id) == run)]
        if run and not trained:
            wanted += [m.name for m in registry.all_models(self.studio) if str(m.job_id) == run]
        if not wanted and trained:
            newest = trained[0]
            parent = by_id.get(newest.parent_id or -1)
            wanted = [*([parent.name] if parent else []), newest.name]
        names: list[str] = []
        for name in wanted or [m.name for m in listed if m.name in registry.DEMO_MODELS]:
            try:
                names.append(chat_sides.checked(self.studio, name))
            except StudioError as error:
                refused.append(error)
        # Two, since to compare is what the page is for.
        return names or [model.name for model in listed][:2]

    def _whole(self, chat_id: int | None, language: str, message: str | Markup = "") -> Updates:
        """Everything that a conversation shows."""
        rounds = list(api.drawn(self.studio, chat_id, language).values()) if chat_id is not None else []
        note = view.fork_note(chats.get(self.studio, chat_id), language) if chat_id is not None else ""
        past = join(rounds[:-1])
        return {
            self.chat: chat_id,
            self.history: str(html("{}{}{}", message, note, past)),
            self.live: str(rounds[-1] if rounds else view.welcome(language)),
            self.card: chat_list.card(self.studio, chat_id, language),
            self.export: str(view.exports(chat_id if rounds else None, language)),
            self.earlier: self._earlier(chat_id, language),
        }

    def _earlier(self, chat_id: int | None, language: str) -> str:
        """The newest conversations that are not archived."""
        found = search.find(self.studio, CHATS, Query(limit=_EARLIER))
        return str(view.earlier(found.rows, chat_id, language))
