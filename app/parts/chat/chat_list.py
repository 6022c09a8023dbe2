"""The list of all conversations, and what is noted on one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from app.i18n import say
from app.parts.html import NOTHING, ago, empty, html, notice, number
from app.parts.keeping import bar, columns, marks_view
from app.parts.keeping.columns import Columns
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Chat, Mark
from studio_core.chat import chat_sides, chats
from studio_core.keeping import marks, search
from studio_core.keeping.chats import CHATS
from studio_core.keeping.search import Query

PATH = "/chats"
SHOWN = 100
"""Conversations of a page of the list."""
COLUMNS = Columns("chat.col_", "name", ("models", "rounds", "begun"))


def listed(studio: Studio, language: str, query: Query, asked: Sequence[str] = ()) -> Markup:
    """One page of conversations, each a link to where it goes on."""
    try:
        found = search.find(studio, CHATS, query)
    except BadInput as error:  # An order that there is not.
        return notice("warn", error.sentence(language))
    if not found.rows:
        if query == Query(limit=SHOWN):
            return empty(say("chat.none_earlier", language), (say("chat.new", language), "/chat"))
        return empty(say("keeping.none_such", language))
    rounds = chats.counted(studio, [chat.id for chat in found.rows])
    lines = [_line(studio, chat, found.marks.get(chat.id), rounds, language) for chat in found.rows]
    ways = bar.pager(query, found.total, PATH, language, columns.kept(asked))
    return html("{}{}", COLUMNS.table(lines, asked, language), ways)


def _line(
    studio: Studio, chat: Chat, mark: Mark | None, rounds: Mapping[int, int], language: str
) -> dict[str, Any]:
    """The cells of a conversation, by the names of their columns."""
    link = html('<a href="/chat?chat={}">{}</a>', chat.id, chat.title)
    return {
        "name": marks_view.named(CHATS, chat, mark, link, PATH, language),
        "models": ", ".join(chat_sides.value_of(studio, side) or NOTHING for side in chat.models),
        "rounds": number(rounds.get(chat.id, 0)),
        "begun": ago(chat.created_at, language),
        "note": marks_view.note(mark),
    }


def card(studio: Studio, chat: int | None, language: str) -> Markup:
    """Star, tags, note and name of the conversation that is open; nothing before its first prompt."""
    row = chats.get(studio, chat) if chat is not None else None
    if row is None or not row.title:
        return Markup()
    mark = marks.of(studio, CHATS, [row.id]).get(row.id)
    return marks_view.card(CHATS, row, mark, row.title, PATH, language)
