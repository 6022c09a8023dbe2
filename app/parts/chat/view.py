"""What stands around the rounds of a conversation: welcome, earlier ones, files, the dialog."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from app.i18n import say
from app.parts.html import ago, empty, html, join, notice
from studio_core.base.studio import Studio
from studio_core.base.tables import Chat
from studio_core.chat import chat_labels
from studio_core.chat.chat_labels import Sent

EXAMPLES = ("example_who", "example_sum", "example_unknown")


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
            '<li><a href="/chat?chat={}" {}><span>{}</span>{}</a>{}</li>',
            chat.id,
            Markup('aria-current="true"') if chat.id == current else Markup(),
            chat.title,
            ago(chat.created_at, language),
            _remove(chat, language),
        )
        for chat in chats
    ]
    return html('<ul class="ts-earlier">{}</ul>', join(links))


def _remove(chat: Chat, language: str) -> Markup:
    return html(
        '<button type="button" class="ts-quiet" data-keep="delete" data-ids="{}" aria-label="{}" title="{}">×</button>',
        chat.id,
        say("keeping.delete_of", language, name=chat.title),
        say("keeping.delete", language),
    )


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


def fork_note(chat: Chat, language: str) -> Markup:
    """From which conversation this one goes on."""
    fork = chat.settings.get("fork")
    if not fork:
        return Markup()
    link = html('<a href="/chat?chat={}">{}</a>', fork["chat"], say("chat.fork_origin", language))
    return html('<p class="ts-fork">{} {}</p>', say("chat.fork_note", language, turn=fork["before"]), link)


def dialog(studio: Studio, language: str) -> Markup:
    """The form for a correction, for a changed prompt, and for the project to which a turn goes."""
    projects = chat_labels.projects_for_turns(studio)
    options = join(html('<option value="{}"></option>', project.name) for project in projects)
    words = {
        f"data-title-{kind}": say(f"chat.dialog_{kind}", language) for kind in ("correct", "prompt", "send")
    } | {f"data-do-{kind}": say(f"chat.dialog_do_{kind}", language) for kind in ("correct", "prompt", "send")}
    words["data-unreachable"] = say("chat.unreachable", language)
    attributes = join((html('{}="{}"', Markup(name), text) for name, text in words.items()), " ")
    return html(
        '<dialog class="ts-dialog" aria-labelledby="chat-dialog-title" {attributes}><form method="dialog">'
        '<h2 id="chat-dialog-title"></h2>'
        '<textarea data-part="text" rows="9" dir="auto" maxlength="{most}" aria-label="{text}"></textarea>'
        '<label data-part="project">{project}<input type="text" list="chat-projects" maxlength="60" '
        'value="{default}" autocomplete="off"><datalist id="chat-projects">{known}</datalist></label>'
        '<p class="ts-notice ts-notice-bad" data-part="error" role="alert" hidden></p>'
        '<div class="ts-row"><button type="submit" class="ts-button ts-button-primary" data-part="do"></button>'
        '<button type="button" class="ts-button" data-part="cancel">{cancel}</button>'
        '<span class="ts-muted">{kept}</span></div></form></dialog>',
        attributes=attributes,
        most=100_000,
        text=say("chat.dialog_text", language),
        project=say("chat.dialog_project", language),
        default=projects[0].name if projects else chat_labels.PROJECT,
        known=options,
        cancel=say("chat.dialog_cancel", language),
        kept=say("chat.dialog_kept", language),
    )


def sent(result: Sent, kind: str, language: str) -> Markup:
    """What a correction or a turn has become."""
    key = f"chat.{kind}" if result.voted else f"chat.{kind}_unvoted"
    text = say(key, language, number=result.number, project=result.project.name)
    link = html('<a href="/label?project={}">{}</a>', result.project.id, say("chat.open_project", language))
    return notice("good", html("{} {}", text, link))
