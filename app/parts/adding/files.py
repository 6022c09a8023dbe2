"""Files of the reader's own computer: dropped or chosen, sent in chunks (``static/js/upload.js``)."""

from __future__ import annotations

import json
import secrets
from typing import Any

import gradio as gr
from markupsafe import Markup

from app.files import mounts
from app.i18n import phrases, say
from app.parts.adding import as_state
from app.parts.events import ASKED
from app.parts.handlers import safely
from app.parts.html import html, join, size
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.curation.adding import Brought
from studio_core.data import uploads

NAME = "files"

_TEXTS = ("of", "done", "failed", "changed", "paused", "lost", "seconds", "minutes", "files", "open")


def build(studio: Studio, brought: gr.State, elem_id: str = "data-file") -> gr.HTML:
    script = f"{mounts('js/upload.js', 'trigger', 'watch')}; 'ready'; 'cleared'"
    panel = gr.HTML("", apply_default_css=False, elem_id=elem_id, js_on_load=script)

    def ready(event: gr.EventData) -> dict[str, Any]:
        return as_state(sent(studio, event._data))

    # One after the other: a "cleared" that is worked off after its "ready" would take the files away again.
    in_turn: dict[str, Any] = {**ASKED, "concurrency_id": "brought", "concurrency_limit": 1}
    panel.ready(safely(ready), None, brought, **in_turn)
    panel.cleared(lambda: {}, None, brought, **in_turn)
    return panel


def sent(studio: Studio, data: Any) -> Brought:
    """The uploads that the page says are complete; checked as all that a page sends."""
    ids = data.get("ids") if isinstance(data, dict) else None
    if (
        not isinstance(ids, list)
        or not 0 < len(ids) <= uploads.MOST
        or not all(type(id) is str for id in ids)
    ):
        raise BadInput("adding.bad_request")
    for id in ids:
        uploads.complete(studio.settings, id)
    return Brought(uploads=ids)


def drawn(studio: Studio, language: str, *, kinds: str = "adding.kinds", anew: bool = False) -> Markup:
    """The place for files, as it is at the beginning; ``anew``: it is, whatever is in it. ``kinds`` is the key of what
    it says of the files that are wanted, with their largest size as ``limit``.

    Without it the text is always the same, so that an opened page is not drawn again under a chosen file.
    """
    phrase = phrases("adding.", language)
    # The numbers are filled in by the browser.
    texts = {name: say(f"adding.upload_{name}", language) for name in _TEXTS}
    limit = size(studio.settings.max_upload_mb * 1_000_000)
    return html(
        '<div class="ts-upload" data-drawn="{drawn}">'
        '<div class="ts-drop" data-part="drop" data-texts="{texts}"><p><strong>{drop}</strong></p>'
        '<div class="ts-row">{files}{folder}</div><p class="ts-muted">{kinds}</p></div>'
        '<input type="file" multiple hidden data-part="input-files">'
        '<input type="file" webkitdirectory hidden data-part="input-folder">'
        '<div class="ts-sending" data-part="progress" hidden><div class="ts-row"><strong data-part="name"></strong>'
        '<span class="ts-sending-buttons">{buttons}</span></div>'
        '<progress data-part="bar" max="1" value="0"></progress>'
        '<p class="ts-muted" data-part="figures"></p></div>'
        '<div class="ts-notice ts-notice-info" data-part="open" hidden><p>{again}</p>'
        '<ul data-part="open-list"></ul>{discard}</div>'
        '<p class="ts-unseen" role="status" data-part="spoken"></p></div>',
        drawn=secrets.token_hex(4) if anew else "",
        texts=json.dumps(texts, ensure_ascii=False),
        drop=phrase("drop"),
        files=_button("files", phrase("choose_files"), "ts-button-primary"),
        folder=_button("folder", phrase("choose_folder")),
        kinds=say(kinds, language, limit=limit),
        buttons=join(_button(name, phrase(name)) for name in ("pause", "resume", "cancel", "clear")),
        again=phrase("go_on"),
        discard=_button("discard", phrase("discard")),
    )


def _button(action: str, label: str, look: str = "") -> Markup:
    return html('<button type="button" class="ts-button {}" data-do="{}">{}</button>', look, action, label)
