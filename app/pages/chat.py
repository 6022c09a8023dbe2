"""Chat: the same prompt to two or more models side by side, and a vote on their answers."""

from __future__ import annotations

from typing import Any

import gradio as gr
from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from app.files import asset
from app.i18n import language_of, say, t
from app.parts import chat_view
from app.parts.events import ASKED, LIGHT, on_open
from app.parts.handlers import safely
from app.parts.html import html, notice
from app.parts.side_by_side import LETTERS
from studio_core import chat_exports, chat_live, chats
from studio_core.chats import MOST_SIDES, VERDICTS
from studio_core.errors import BadInput, NotFound, StudioError
from studio_core.models import registry
from studio_core.studio import Studio
from studio_core.tables import ChatRound

NAME = "chat"
PATH = "/chat"

LOOK_EVERY = 0.12
"""Seconds between two looks at an answer that is coming in."""
BUTTONS = ("a", "b", "tie", "bad")
"""Ends of the ids of the vote buttons, in the order of ``VERDICTS``."""


def build(studio: Studio) -> None:
    page = ChatPage(studio)
    gr.Markdown(f"# {t('chat.title')}", elem_classes="ts-head")
    with gr.Row(elem_classes="ts-chat"):
        with gr.Column(scale=4, min_width=320, elem_classes="ts-chat-main"):
            _models(page)
            page.history = gr.HTML(elem_id="chat-history")
            page.live = gr.HTML(elem_id="chat-live", js_on_load=_script())
            _votes(page)
            _composer(page)
        with gr.Column(scale=1, min_width=290, elem_classes="ts-chat-side"):
            _settings(page)
    page.chat = gr.State(None)
    page.connect()


def _script() -> str:
    return f"import('{asset('js/chat.js')}').then((m) => m.mount(element, watch));"


def _models(page: ChatPage) -> None:
    with gr.Row(elem_classes="ts-chat-models"):
        page.models = gr.Dropdown(
            [], value=[], multiselect=True, max_choices=MOST_SIDES, label=t("chat.models"),
            elem_id="chat-models", scale=5, min_width=300,
        )  # fmt: skip
        page.new = gr.Button(t("chat.new"), elem_id="chat-new", scale=0, min_width=130)


def _votes(page: ChatPage) -> None:
    with gr.Row(visible=False, elem_id="chat-vote") as page.vote_row:
        page.pair = gr.Radio([], visible=False, label=t("chat.pair"), elem_id="chat-pair", container=False)
        labels = ("chat.better_a", "chat.better_b", "chat.tie", "chat.both_bad")
        page.vote_buttons = [
            gr.Button(t(label), interactive=False, elem_id=f"chat-vote-{end}", min_width=100, size="md")
            for label, end in zip(labels, BUTTONS, strict=True)
        ]
    page.message = gr.HTML(elem_id="chat-vote-message")


def _composer(page: ChatPage) -> None:
    with gr.Row(elem_id="chat-composer", equal_height=False):
        page.prompt = gr.Textbox(
            show_label=False, label=t("chat.prompt"), placeholder=t("chat.prompt_hint"), lines=1,
            max_lines=10, max_length=chats.LONGEST_PROMPT, elem_id="chat-prompt", scale=6, min_width=200,
            container=False,
        )  # fmt: skip
        page.send = gr.Button(t("chat.send"), variant="primary", elem_id="chat-send", scale=0, min_width=96)
        page.stop = gr.Button(
            t("chat.stop"), variant="stop", visible=False, elem_id="chat-stop", scale=0, min_width=96
        )


def _settings(page: ChatPage) -> None:
    first = chats.ChatSettings()
    with gr.Accordion(t("chat.settings"), open=True, elem_id="chat-settings"):
        page.settings = {
            "system": gr.Textbox(
                label=t("chat.system"), placeholder=t("chat.system_hint"), lines=2, max_lines=8,
                max_length=20_000, elem_id="chat-system",
            ),
            "temperature": gr.Slider(
                0, 2, first.temperature, step=0.05, label=t("chat.temperature"),
                info=t("chat.temperature_help"), elem_id="chat-temperature",
            ),
            "top_p": gr.Slider(
                0.05, 1, first.top_p, step=0.05, label=t("chat.top_p"), info=t("chat.top_p_help"),
                elem_id="chat-top-p",
            ),
            "seed": gr.Number(
                first.seed, precision=0, label=t("chat.seed"), info=t("chat.seed_help"), elem_id="chat-seed"
            ),
            "max_new_tokens": gr.Slider(
                16, 4096, first.max_new_tokens, step=16, label=t("chat.length"), info=t("chat.length_help"),
                elem_id="chat-length",
            ),
        }  # fmt: skip
        page.blind = gr.Checkbox(label=t("chat.blind"), info=t("chat.blind_help"), elem_id="chat-blind")
    page.export = gr.HTML(elem_id="chat-export")
    page.collect = gr.Button(t("chat.collect"), elem_id="chat-collect")
    page.collected = gr.HTML(elem_id="chat-collected")
    with gr.Accordion(t("chat.earlier"), open=True, elem_id="chat-earlier"):
        page.earlier = gr.HTML()


class ChatPage:
    """The page's components, and what happens when they are used."""

    models: gr.Dropdown
    blind: gr.Checkbox
    new: gr.Button
    history: gr.HTML
    live: gr.HTML
    vote_row: gr.Row
    pair: gr.Radio
    vote_buttons: list[gr.Button]
    message: gr.HTML
    prompt: gr.Textbox
    send: gr.Button
    stop: gr.Button
    settings: dict[str, Any]
    export: gr.HTML
    collect: gr.Button
    collected: gr.HTML
    earlier: gr.HTML
    chat: gr.State

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def connect(self) -> None:
        """Declare the page's events."""
        settings = [*self.settings.values(), self.blind]
        judged = [self.vote_row, self.pair, *self.vote_buttons]
        # A timer and not a stream: Gradio's page can lose the answer of a queued event that begins
        # just as another one ends, and a stream is a queued event that may end at any time.
        self.clock = gr.Timer(LOOK_EVERY, active=False)
        self.moving = moving = [self.clock, self.live, *judged, self.send, self.stop]
        whole = [self.chat, self.history, *moving, self.message, self.export, self.earlier]
        self.clock.tick(safely(self.followed), [self.chat], moving, **LIGHT)
        on_open(self.opened, [self.models, *settings, *whole])
        gr.on(
            [self.send.click, self.prompt.submit],
            safely(self.asked),
            inputs=[self.prompt, self.models, self.chat, *settings],
            outputs=[self.prompt, *whole],
            trigger_mode="once",
            **ASKED,
        )
        self.pair.change(safely(self.paired), [self.pair], self.vote_buttons[:2], **LIGHT)
        self.stop.click(safely(self.stopped), [self.chat], None, **ASKED)
        self.new.click(safely(self.emptied), None, whole, **ASKED)
        self.collect.click(safely(self.collecting), None, self.collected, trigger_mode="once", **ASKED)
        for button, verdict in zip(self.vote_buttons, VERDICTS, strict=True):
            # Not queued: Gradio's page can lose the answer of a queued event that begins as another ends.
            button.click(
                safely(self.vote_of(verdict)),
                inputs=[self.chat, self.pair],
                outputs=[*moving, self.message],
                trigger_mode="once",
                **LIGHT,
            )

    # --- events ----------------------------------------------------------------------------

    def opened(self, request: gr.Request) -> list[Any]:
        """The conversation that the address names, else an empty one with the models that it names."""
        query, language = dict(request.query_params), language_of(request)
        registry.ensure_demo_models(self.studio)
        listed = registry.all_models(self.studio)
        known = {model.id: model.name for model in listed}
        chat = None
        settings = chats.ChatSettings()
        refused: list[StudioError] = []
        if query.get("chat", "").isdigit():
            try:
                chat = chats.get(self.studio, int(query["chat"][:15]))
                settings = chats.checked_settings(**chat.settings)
            except NotFound as error:
                refused.append(error)
        names = [known[id] for id in chat.models if id in known] if chat else self._first(query, refused)
        values = [getattr(settings, name) for name in self.settings]
        choices = gr.update(choices=list(known.values()), value=names[:MOST_SIDES])
        told = Markup().join(notice("bad", error.sentence(language)) for error in refused)
        whole = self._whole(chat.id if chat else None, language, str(told))
        return [choices, *values, settings.blind, *whole]

    def asked(
        self, request: gr.Request, prompt: str, models: list[str], chat_id: int | None, *given: Any
    ) -> list[Any]:
        """Begin a round: in this conversation, or in a new one if other models were chosen."""
        names = [*self.settings, "blind"]
        filled = {name: value for name, value in zip(names, given, strict=True) if value is not None}
        settings = chats.checked_settings(**filled)
        if not isinstance(prompt, str) or not prompt.strip():
            raise BadInput("chat.empty_prompt")
        chosen = [registry.get(self.studio, name).id for name in models or []]
        chat = chats.get(self.studio, chat_id) if chat_id is not None else None
        if chat is None or chat.models != chosen:
            chat = chats.start(self.studio, chosen, settings)
        chat_live.ask(self.studio, chat.id, prompt, settings)
        return ["", *self._whole(chat.id, language_of(request))]

    def followed(self, chat_id: int | None, request: gr.Request) -> list[Any]:
        """The newest round as it is now. The round goes on when nobody follows it."""
        language = language_of(request)
        live = chat_live.current(self.studio, chat_id) if chat_id is not None else None
        if live is not None:
            row = chats.get_round(self.studio, live.id)
            return self._moving(row, live.answers(), language, loading=live.loading())
        rounds = chat_live.history(self.studio, chat_id) if chat_id is not None else []
        return (
            self._moving(rounds[-1], rounds[-1].answers, language)
            if rounds
            else [gr.skip()] * len(self.moving)
        )

    def stopped(self, chat_id: int | None) -> None:
        live = chat_live.current(self.studio, chat_id) if chat_id is not None else None
        if live is not None:
            live.stop()

    def emptied(self, request: gr.Request) -> list[Any]:
        """A new conversation: it is stored with its first prompt."""
        return self._whole(None, language_of(request))

    def collecting(self, request: gr.Request) -> str:
        """Make a dataset of all votes, and show where to train on it."""
        language = language_of(request)
        made = chats.votes_to_dataset(self.studio)
        text = say("chat.collected", language, dataset=f"{made.name}@{made.version}", rows=made.rows)
        link = html(
            '<a href="/train?method=dpo&amp;dataset={}">{}</a>', made.name, say("chat.train", language)
        )
        return str(notice("good", html("{} {}", text, link)))

    def paired(self, pair: str | None, request: gr.Request) -> list[Any]:
        """Name the buttons after the two places that are judged."""
        language = language_of(request)
        return [say("chat.better", language, letter=LETTERS[place]) for place in _places(pair, MOST_SIDES)]

    def vote_of(self, verdict: str) -> Any:
        def voted(chat_id: int | None, pair: str | None, request: gr.Request) -> list[Any]:
            language = language_of(request)
            rounds = chats.history(self.studio, chat_id) if chat_id is not None else []
            if not rounds:
                raise BadInput("chat.two_sides_needed")
            row = rounds[-1]
            live = chat_live.current(self.studio, row.chat_id)
            if live is not None:
                live.save()
            places = _places(pair, len(row.answers))
            left, right = (row.settings["order"][place] for place in places)
            try:
                vote = chats.vote(self.studio, row.id, verdict, left, right)
            except StudioError as error:
                refusal = str(notice("bad", error.sentence(language)))
                return [*[gr.skip()] * len(self.moving), refusal]
            row = chats.get_round(self.studio, row.id)
            return [*self._moving(row, row.answers, language), self._saved(vote.verdict, language)]

        return voted

    # --- what is shown ---------------------------------------------------------------------

    def _first(self, query: dict[str, str], refused: list[StudioError]) -> list[str]:
        """The models that the address names, else the newest that was trained and what it was before.

        Names that cannot be chosen are added to ``refused``.
        """
        wanted: list[str | int] = [name for name in query.get("models", "").split(",") if name]
        listed = registry.all_models(self.studio)
        by_id = {model.id: model for model in listed}
        run = query.get("run", "")
        trained = [m for m in listed if m.job_id is not None and (not run or str(m.job_id) == run)]
        if not wanted and trained:
            newest = trained[0]
            parent = by_id.get(newest.parent_id or -1)
            wanted = [*([parent.name] if parent else []), newest.name]
        names: list[str] = []
        for name in wanted or [m.name for m in listed if m.name in registry.DEMO_MODELS]:
            try:
                names.append(registry.get(self.studio, name).name)
            except StudioError as error:
                refused.append(error)
        return names or [model.name for model in listed][:2]

    def _whole(self, chat_id: int | None, language: str, message: str = "") -> list[Any]:
        """Everything that a conversation shows, for the outputs ``whole``."""
        rounds = chat_live.history(self.studio, chat_id) if chat_id is not None else []
        cast = chats.votes(self.studio, chat_id) if chat_id is not None else {}
        past = [chat_view.round_block(row, row.answers, cast.get(row.id), language) for row in rounds[:-1]]
        last = rounds[-1] if rounds else None
        return [
            chat_id,
            str(Markup().join(past)),
            *self._moving(last, last.answers if last else [], language),
            message,
            str(chat_view.exports(chat_id if rounds else None, language)),
            str(chat_view.earlier(chats.titles(self.studio), chat_id, language)),
        ]

    def _moving(
        self, row: ChatRound | None, answers: list[Any], language: str, loading: list[bool] | None = None
    ) -> list[Any]:
        """The newest round and the buttons that go with its state, for the outputs ``moving``."""
        if row is None:
            idle = [gr.update(visible=False), gr.update(visible=False), *[gr.update(interactive=False)] * 4]
            buttons = [gr.update(visible=True), gr.update(visible=False)]
            return [gr.Timer(active=False), str(chat_view.welcome(language)), *idle, *buttons]
        vote = chats.votes(self.studio, row.chat_id).get(row.id)
        block = chat_view.round_block(row, answers, vote, language, loading=loading or (), ids="chat-side")
        judged = [one["state"] != "error" and bool(one["answer"].strip()) for one in answers]
        pairs = [(f"{LETTERS[i]} – {LETTERS[j]}", f"{i}-{j}") for j in range(len(answers)) for i in range(j)]
        many = len(answers) > 2
        answering = any(one["state"] == "streaming" for one in answers)
        return [
            gr.Timer(active=answering),
            str(block),
            gr.update(visible=len(answers) > 1),
            gr.update(choices=pairs, visible=many) if many else gr.update(visible=False),
            *[gr.update(interactive=sum(judged) > 1) for _ in VERDICTS],
            gr.update(visible=not answering),
            gr.update(visible=answering),
        ]

    def _saved(self, verdict: str, language: str) -> str:
        number = len(chats.preference_records(self.studio))
        key = "chat.vote_saved" if verdict in ("a", "b") else "chat.vote_kept"
        return str(notice("good", html("{}", say(key, language, number=number))))


def _places(pair: str | None, sides: int) -> tuple[int, int]:
    """The two places that are judged, from what the page's choice of pairs says."""
    first, _, second = (pair or "0-1").partition("-")
    if not (first.isdigit() and second.isdigit() and int(first) < sides and int(second) < sides):
        raise BadInput("chat.two_sides_needed")
    return int(first), int(second)


def routes(studio: Studio) -> APIRouter:
    """Downloads of a conversation."""
    router = APIRouter()
    formats = {
        "md": (chat_exports.markdown, "text/markdown"),
        "jsonl": (chat_exports.jsonl, "application/jsonl"),
    }

    @router.get("/api/chat/{chat_id}.{ending}")
    def export(chat_id: int, ending: str, request: Request) -> Response:
        if ending not in formats:
            return PlainTextResponse(say("shell.refused_path", language_of(request)), 404)
        write, media_type = formats[ending]
        try:
            text = write(studio, chat_id)
        except NotFound as error:
            return PlainTextResponse(error.sentence(language_of(request)), 404)
        name = f'attachment; filename="chat-{chat_id}.{ending}"'
        return Response(
            text, media_type=f"{media_type}; charset=utf-8", headers={"Content-Disposition": name}
        )

    return router
