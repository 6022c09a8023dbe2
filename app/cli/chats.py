"""``chats``: conversations of the Chat page, found and tidied."""

from __future__ import annotations

import typer

from app.cli import keeping
from studio_core.base.errors import NotFound
from studio_core.base.studio import Studio
from studio_core.chat import chats
from studio_core.keeping.chats import CHATS

cli = typer.Typer(help="Conversations of the Chat page: search, tags, names.")


def _find(studio: Studio, number: str) -> int:
    if not (number.isascii() and number.isdigit() and len(number) < 16):
        raise NotFound("chat.not_found", chat=number[:40])
    return chats.get(studio, int(number)).id


keeping.add_to(cli, CHATS, _find)
