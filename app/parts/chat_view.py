"""How a conversation looks: its rounds, the round that is being answered, the list of earlier ones."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from app.i18n import say
from app.parts import side_by_side
from app.parts.html import ago, empty, html, join
from app.parts.side_by_side import Cell
from studio_core import texts
from studio_core.chats import Answer
from studio_core.tables import Chat, ChatRound, Vote

EXAMPLES = ("example_who", "example_sum", "example_unknown")


def round_block(
    row: ChatRound,
    answers: Sequence[Answer],
    vote: Vote | None,
    language: str,
    *,
    loading: Sequence[bool] = (),
    ids: str = "",
) -> Markup:
    """One round, its sides in the order in which they are shown."""
    order: list[int] = row.settings["order"]
    hidden = row.settings["blind"] and vote is None
    marks = [""] * len(answers)
    if vote is not None:
        marks = list(side_by_side.marks(vote.verdict, vote.left, vote.right, len(answers)))
    shown = [
        Cell(
            text=answers[side]["answer"],
            name=None if hidden else answers[side]["name"],
            state=answers[side]["state"],
            note=_note(answers[side], bool(loading) and loading[side], language),
            # A speed can give a model away.
            figures=""
            if hidden
            else side_by_side.figures(answers[side]["tokens"], answers[side]["seconds"], language),
            mark=marks[side],  # type: ignore[arg-type]
        )
        for side in order
    ]
    return html(
        '<section class="ts-round" data-chat="{}" data-round="{}">{}{}</section>',
        row.chat_id,
        row.number,
        side_by_side.prompt_block(row.prompt, row.settings["system"], language),
        side_by_side.cells(shown, language, ids),
    )


def _note(answer: Answer, loading: bool, language: str) -> str:
    state = answer["state"]
    if state == "error":
        key = answer.get("key", "")
        if key in texts.catalogue(texts.DEFAULT_LANGUAGE):
            return say(key, language, **answer.get("values", {}))
        return answer.get("error", "")
    if state == "streaming":
        if answer["answer"]:
            return ""
        return say("chat.loading" if loading else "chat.waiting", language)
    if state == "stop":
        return "" if answer["answer"].strip() else say("chat.no_text", language)
    return say(f"chat.state_{state}", language)


def welcome(language: str) -> Markup:
    """What an empty conversation says."""
    examples = join(
        html(
            '<button type="button" class="ts-button" data-prompt="{0}">{0}</button>',
            say(f"chat.{key}", language),
        )
        for key in EXAMPLES
    )
    text = html("{}</p><p>{}", say("chat.empty_lead", language), say("chat.empty_try", language))
    return html('{}<div class="ts-row ts-examples">{}</div>', empty(text), examples)


def earlier(chats: Sequence[Chat], current: int | None, language: str) -> Markup:
    """Links to the conversations so far."""
    if not chats:
        return html('<p class="ts-muted">{}</p>', say("chat.none_earlier", language))
    links = [
        html(
            '<li><a href="/chat?chat={}" {}><span>{}</span>{}</a></li>',
            chat.id,
            Markup('aria-current="true"') if chat.id == current else Markup(),
            chat.title,
            ago(chat.created_at, language),
        )
        for chat in chats
    ]
    return html('<ul class="ts-earlier">{}</ul>', join(links))


def exports(chat: int | None, language: str) -> Markup:
    """Buttons that download the conversation."""
    if chat is None:
        return Markup()
    formats = (("md", "Markdown"), ("jsonl", "JSONL"))
    links = [
        html(
            '<a class="ts-button" id="chat-export-{1}" href="/api/chat/{0}.{1}" download>{2}</a>',
            chat,
            ending,
            name,
        )
        for ending, name in formats
    ]
    return html(
        '<p class="ts-label">{}</p><div class="ts-row">{}</div>', say("chat.export", language), join(links)
    )
