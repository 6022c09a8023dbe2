"""What the studio itself has collected: votes as preference pairs, conversations as records."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, say, t
from app.parts import data_view
from app.parts.events import ASKED, on_open
from app.parts.handlers import Updates, safely
from app.parts.html import html, number, panel
from studio_core.base.studio import Studio
from studio_core.chat import chat_exports, chat_votes
from studio_core.curation import adding
from studio_core.data import store
from studio_core.data.store import Imported

NAME = "studio"

MADE = {"votes": chat_votes.votes_to_dataset, "chats": chat_exports.chats_to_dataset}


def build(studio: Studio, answer: gr.HTML, listed: gr.HTML) -> None:
    counted = panel("data-studio-counts")
    with gr.Row(elem_classes="ts-asking"):
        buttons = {
            name: gr.Button(t(f"adding.from_{name}"), elem_id=f"data-from-{name}", min_width=220)
            for name in MADE
        }

    def counts(request: gr.Request) -> Markup:
        language = language_of(request)
        votes, conversations = len(chat_votes.preference_records(studio)), len(chat_exports.all_jsonl(studio))
        text = say("adding.studio_has", language, votes=number(votes), chats=number(conversations))
        return html('<p class="ts-muted">{}</p>', text)

    def maker(name: str) -> Any:
        def made(request: gr.Request) -> Updates:
            language = language_of(request)
            ids = {dataset.id for dataset in store.all_datasets(studio)}
            dataset = MADE[name](studio)
            new = dataset.id not in ids
            if new:
                adding.judge(studio, dataset)
            return {
                answer: data_view.imported_notice(Imported(dataset, [], new), language),
                listed: data_view.dataset_list(studio, language),
            }

        return made

    on_open(counts, [counted])
    for name, button in buttons.items():
        button.click(safely(maker(name)), None, [answer, listed], trigger_mode="once", **ASKED)
