"""Label: projects in which people say which answer is better; and the screen on which they do."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr
from fastapi import APIRouter
from markupsafe import Markup

from app.access import EVERYONE, STAFF, current_user, only
from app.files import asset
from app.i18n import language_of, say, t
from app.parts import label_api, label_view
from app.parts.events import ASKED, LIGHT, on_open
from app.parts.handlers import safely
from app.parts.html import html, notice, panel
from studio_core.data import versions
from studio_core.data.shapes import Shape
from studio_core.errors import BadInput, StudioError
from studio_core.labeling import exports, imports, projects
from studio_core.studio import Studio

NAME = "label"
PATH = "/label"
ROLES = EVERYONE

_MADE_FROM = {Shape.PREFERENCE: "pairs", Shape.PROMPT_COMPLETION: "rate", Shape.UNPAIRED_PREFERENCE: "rate"}
"""Shapes of dataset that hold answers to judge, and how they are judged."""
_GO = "(address) => { if (address && address.startsWith('/')) window.location.assign(address); }"


def routes(studio: Studio) -> APIRouter:
    return label_api.routes(studio)


def build(studio: Studio) -> None:
    page = LabelPage(studio)
    script = f"import('{asset('js/label.js')}').then((m) => m.mount(element))"
    head = panel("label-head")
    screen = panel("label-screen", js_on_load=_WHEN_DRAWN.replace("IMPORT", script))
    with gr.Column(visible=False, elem_id="label-create", elem_classes="ts-card") as create:
        gr.Markdown(t("labeling.new"))
        with gr.Row():
            name = gr.Textbox(label=t("labeling.name"), max_lines=1, elem_id="label-name")
            source = gr.Dropdown(
                [], label=t("labeling.source"), info=t("labeling.source_help"), elem_id="label-source"
            )
            wanted = gr.Number(
                1,
                label=t("labeling.votes"),
                info=t("labeling.votes_help"),
                precision=0,
                minimum=1,
                maximum=20,
                elem_id="label-votes",
            )
        strength = gr.Checkbox(
            label=t("labeling.strength"), info=t("labeling.strength_help"), elem_id="label-strength"
        )
        guide = gr.Textbox(
            label=t("labeling.guidelines"),
            info=t("labeling.guidelines_help"),
            lines=3,
            elem_id="label-guidelines",
        )
        start = gr.Button(t("labeling.create"), variant="primary", elem_id="label-start")
    with gr.Column(visible=False, elem_id="label-results") as results:
        with gr.Row():
            refresh = gr.Button(t("labeling.refresh"), elem_id="label-refresh", scale=0, min_width=160)
            make = gr.Button(
                t("labeling.make_dataset"), variant="primary", elem_id="label-make", scale=0, min_width=220
            )
        made = panel("label-made")
        statistics = panel("label-statistics")
    address = gr.Textbox(visible=False)

    on_open(page.open, [head, screen, create, source, results, statistics])
    start.click(
        safely(page.created),
        [name, source, wanted, strength, guide],
        [address],
        trigger_mode="once",
        **ASKED,
    ).then(None, js=_GO, inputs=[address])
    refresh.click(safely(page.statistics), None, statistics, **LIGHT)
    make.click(safely(page.dataset), None, made, trigger_mode="once", **ASKED)


# The screen is drawn by the event that opens the page: the script waits for it.
_WHEN_DRAWN = """
const begin = () => { if (element.querySelector('#label-screen-body')) IMPORT; };
new MutationObserver(begin).observe(element, { childList: true, subtree: true });
begin();
"""


class LabelPage:
    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def open(self, request: gr.Request) -> tuple[Any, ...]:
        """All projects; or one, if the address names it. Annotators see the screen and their projects."""
        language, asked = language_of(request), str(request.query_params.get("project", ""))[:80]
        staff = current_user(request).role in STAFF
        hidden, said = gr.Column(visible=False), Markup()
        if asked:
            try:
                one = projects.get(self.studio, asked)
            except StudioError as error:
                said = notice("warn", error.sentence(language))
            else:
                guide = projects.guidelines(self.studio, one.id)
                return (
                    label_view.head(one, guide.text if guide else "", language),
                    label_view.screen(one, _words(language), language),
                    hidden,
                    gr.skip(),
                    gr.Column(visible=staff),
                    label_view.statistics(self.studio, one, language) if staff else "",
                )
        listed = label_view.projects_list(self.studio, language, may_create=staff)
        choices = [
            f"{d.name}@{d.version}"
            for d in versions.all_datasets(self.studio)
            if staff and d.shape in _MADE_FROM
        ]
        head = html("{}{}{}", label_view.page_head(language), said, listed)
        return head, "", gr.Column(visible=staff), gr.Dropdown(choices=choices), hidden, ""

    @only(STAFF)
    def created(
        self, request: gr.Request, name: str, source: str | None, votes: Any, strength: bool, guide: str
    ) -> str:
        """A new project with the answers of a dataset; the page then goes to it."""
        if not source:
            raise BadInput("labeling.no_source")
        dataset = versions.get(self.studio, source)
        mode = _MADE_FROM.get(Shape(dataset.shape))
        if mode is None:
            raise BadInput("labeling.wrong_dataset", dataset=dataset.name, shape=dataset.shape, mode="pairs")
        one = projects.create(
            self.studio,
            str(name or "").strip() or dataset.name,
            mode=mode,
            settings={"votes": int(votes or 1), "strength": bool(strength)},
            guidelines=str(guide or ""),
            dataset_id=dataset.id,
        )
        imports.from_dataset(self.studio, one.id, dataset)
        return f"/label?project={one.id}"

    @only(STAFF)
    def statistics(self, request: gr.Request) -> Markup:
        one = projects.get(self.studio, str(request.query_params.get("project", "")))
        return label_view.statistics(self.studio, one, language_of(request))

    @only(STAFF)
    def dataset(self, request: gr.Request) -> Markup:
        """The votes as versions of a dataset, with the way to train on them."""
        one = projects.get(self.studio, str(request.query_params.get("project", "")))
        shape = "preference" if one.mode in ("pairs", "rank") else "score"
        if one.mode == "rate" and projects.settings_of(one).scale == 2:
            shape = "unpaired"
        made = exports.make_dataset(self.studio, one.id, shape)
        return label_view.made(made, language_of(request))


def _words(language: str) -> str:
    """Sentences for the script, which fills their values in itself."""
    from studio_core import texts

    catalogue = {**texts.catalogue(texts.DEFAULT_LANGUAGE), **texts.catalogue(language)}
    names = (
        "progress",
        "number",
        "last",
        "kept",
        "offline",
        "left",
        "right",
        "tie",
        "both_bad",
        "skip",
        "rated",
    )
    found = {name: catalogue[f"labeling.screen_{name}"] for name in names}
    roles = {
        f"role_{role}": say(f"data.role_{role}", language) for role in ("system", "user", "assistant", "tool")
    }
    return json.dumps({**found, **roles}, ensure_ascii=False)
