"""Conversations: all of them, found, marked and tidied; each is gone on with on the Chat page."""

from __future__ import annotations

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of
from app.parts.chat import chat_list
from app.parts.events import on_open
from app.parts.handlers import Handlers, Updates
from app.parts.html import heading, panel
from app.parts.keeping import bar, board, trash
from studio_core.base.studio import Studio
from studio_core.keeping.chats import CHATS

NAME = "chats"
PATH = chat_list.PATH
WITHIN = "chat"


def build(studio: Studio) -> None:
    heading("chat.all", "chat.all_lead", level=1)
    finder, kept = panel("chats-find"), board.board("chats-keep", "chats-things")
    with gr.Column(elem_id="chats-things"):
        listed, deleted = panel("chats-list"), panel("chats-deleted")
    page = ChatsPage(studio, {"finder": finder, "board": kept, "listed": listed, "deleted": deleted})
    on_open(page.opened, list(page.parts.values()))
    board.listen(studio, CHATS, kept, page.tidied, [listed, deleted])


class ChatsPage(Handlers):
    def opened(self, request: gr.Request) -> Updates:
        """``/chats?q=tag:good&sort=-rounds&columns=models,note``."""
        return {
            **self._updates(finder=self._bar(request), board=self._toolbar(request)),
            **self.tidied(request),
        }

    def tidied(self, request: gr.Request) -> Updates:
        """The list and the trash below it, once something was done with conversations."""
        language, query = language_of(request), bar.query_of(request, chat_list.SHOWN)
        asked = bar.columns_of(request, chat_list.COLUMNS)
        return self._updates(
            listed=chat_list.listed(self.studio, language, query, asked),
            deleted=trash.listed(self.studio, language, CHATS.name),
        )

    def _toolbar(self, request: gr.Request) -> Markup:
        return board.toolbar(CHATS, language_of(request))

    def _bar(self, request: gr.Request) -> Markup:
        return bar.search_bar(
            CHATS,
            bar.query_of(request, chat_list.SHOWN),
            PATH,
            "chats-things",
            language_of(request),
            columns=chat_list.COLUMNS,
            asked=bar.columns_of(request, chat_list.COLUMNS),
        )
