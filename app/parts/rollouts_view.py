"""Rollouts on a run's page: what the model wrote while it learnt from rewards, by step and worth, and a way to data."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, get_args

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, say, t
from app.parts import token_shading
from app.parts.events import ASKED, LIGHT, on_open, typed
from app.parts.handlers import Handlers, Updates, safely, sentence_of
from app.parts.html import NOTHING, empty, html, join, notice, number, panel
from app.parts.record_table import marked
from app.parts.rollout_turns import turns_shown
from app.parts.token_shading import Shade
from studio_core import texts
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.states import TERMINAL
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.methods import METHODS
from studio_core.runs import queue, rollouts
from studio_core.runs.rollouts import Order, Rollout
from studio_core.runs.token_figures import TokenFigures
from studio_core.training import rollout_records

# Answers to two or three prompts of usual groups of eight.
ROWS = 24
SHOWN = 4_000
"""Characters of one text; the rest is counted."""

_ADD = """
element.addEventListener('click', (event) => {
	const button = event.target.closest('[data-rollout]');
	if (button) trigger('act', { mark: button.dataset.rollout, kind: button.dataset.kind });
});
"""


def build(studio: Studio) -> None:
    """The section; it is there for runs that learn from rewards."""
    parts: dict[str, Any] = {"offset": gr.State(0)}
    with gr.Column(visible=False, elem_id="run-rollouts") as parts["section"]:
        parts["head"] = panel("rollouts-head")
        with gr.Row(elem_id="rollouts-form"):
            parts["search"] = gr.Textbox(
                label=t("runs.rollouts_search"),
                info=t("runs.rollouts_search_help"),
                elem_id="rollouts-search",
            )
            parts["step"] = gr.Textbox(
                label=t("runs.rollouts_step"), info=t("runs.rollouts_step_help"), elem_id="rollouts-step"
            )
            parts["order"] = gr.Dropdown(
                label=t("runs.rollouts_order"), elem_id="rollouts-order", choices=[*get_args(Order)]
            )
            parts["shade"] = gr.Dropdown(
                label=t("runs.shade"), elem_id="rollouts-shade", choices=[*get_args(Shade)]
            )
            parts["dataset"] = gr.Textbox(
                label=t("runs.rollouts_dataset"),
                info=t("runs.rollouts_dataset_help"),
                elem_id="rollouts-dataset",
            )
        with gr.Row(elem_id="rollouts-turning"):
            parts["position"] = panel("rollouts-position")
            for name in ("refresh", "previous", "next"):
                parts[name] = gr.Button(t(f"runs.rollouts_{name}"), elem_id=f"rollouts-{name}", min_width=90)
        parts["legend"] = panel("rollouts-legend")
        parts["added"] = panel("rollouts-added")
        parts["listed"] = panel("rollouts-list", js_on_load=_ADD)
    view = Rollouts(studio, parts)
    form = [parts[name] for name in ("step", "order", "search", "shade")]
    shown = [parts[name] for name in ("head", "position", "legend", "listed", "offset")]
    on_open(view.open, [parts["section"], *form, parts["dataset"], *shown])
    latest: dict[str, Any] = {**LIGHT, "trigger_mode": "always_last"}
    gr.on([*typed(form), parts["refresh"].click], view.look, form, shown, **latest)
    for name, handler in (("previous", view.back), ("next", view.forward)):
        parts[name].click(handler, [parts["offset"], *form], shown, **LIGHT)
    parts["listed"].act(view.add, [parts["dataset"]], [parts["added"]], trigger_mode="once", **ASKED)


class Rollouts(Handlers):
    """The section's handlers. Which run is meant, its address says."""

    @safely
    def open(self, request: gr.Request) -> Any:
        job, language = self._job(request), language_of(request)
        if job is None:
            return gr.skip()
        orders = [(say(f"runs.rollouts_order_{order}", language), order) for order in get_args(Order)]
        shades = [(say(f"runs.shade_{shade}", language), shade) for shade in get_args(Shade)]
        fields = self._updates(
            section=gr.Column(visible=True),
            step="",
            order=gr.Dropdown(choices=orders, value="newest"),
            search="",
            shade=gr.Dropdown(choices=shades, value="none"),
            dataset=gr.Textbox(
                value="", placeholder=" · ".join(_name(job, kind) for kind in rollout_records.SHAPES)
            ),
        )
        return {**fields, **self._page(job, 0, "", "newest", "", "none", language)}

    @safely
    def look(self, request: gr.Request, step: Any, order: Any, search: Any, shade: Any = "none") -> Any:
        return self._turned(request, 0, step, order, search, shade)

    @safely
    def back(
        self, request: gr.Request, offset: Any, step: Any, order: Any, search: Any, shade: Any = "none"
    ) -> Any:
        return self._turned(request, _whole(offset) - ROWS, step, order, search, shade)

    @safely
    def forward(
        self, request: gr.Request, offset: Any, step: Any, order: Any, search: Any, shade: Any = "none"
    ) -> Any:
        return self._turned(request, _whole(offset) + ROWS, step, order, search, shade)

    @safely
    def add(self, request: gr.Request, event: gr.EventData, dataset: Any) -> Any:
        """Make a record of the rollout whose button was pressed."""
        asked = event._data if isinstance(event._data, dict) else {}
        job = self._job(request)
        if job is None:
            return gr.skip()
        mark, kind = str(asked.get("mark", "")), str(asked.get("kind", ""))
        name = str(dataset or "").strip() or _name(job, kind)
        added = rollout_records.add(self.studio, job.id, mark, kind, name)
        return self._updates(added=_added(added, language_of(request)))

    def _turned(
        self, request: gr.Request, offset: int, step: Any, order: Any, search: Any, shade: Any
    ) -> Any:
        job, language = self._job(request), language_of(request)
        if job is None:
            return gr.skip()
        return self._page(job, max(0, offset), step, order, search, shade, language)

    def _job(self, request: gr.Request) -> Job | None:
        """The run that is open, if it learns from rewards."""
        run = _whole(request.query_params.get("run"))
        job = queue.get(self.studio, run) if run else None
        return job if job and writes_rollouts(job) else None

    def _page(
        self, job: Job, offset: int, step: Any, order: Any, search: Any, shade: Any, language: str
    ) -> Updates:
        wanted: Order = order if order in get_args(Order) else "newest"
        text, shades = str(search or "").strip(), token_shading.shade_of(shade)
        folder = Path(job.run_dir) if job.run_dir else None
        try:
            at = _step(step)
        except StudioError as error:
            # Said on the page, where it stays while the field is mended.
            sentence = notice("warn", sentence_of(error, language))
            return self._updates(position=sentence, legend="", listed="", offset=0)
        page = rollouts.page(folder, at, wanted, text, offset, ROWS)
        if not page.rollouts and offset:  # There is no page after the one before.
            offset = max(0, (page.total - 1) // ROWS * ROWS)
            page = rollouts.page(folder, at, wanted, text, offset, ROWS)
        return self._updates(
            head=_head(job, page, language),
            position=_position(page, offset, language),
            legend=token_shading.legend(shades, language),
            listed=answers(page, [text] if text else [], shades, language),
            offset=offset,
        )


def _name(job: Job, kind: str) -> str:
    """The dataset that rollouts of a run go to if nobody names one: pairs and answers are of different shapes."""
    return f"run-{job.id}-{kind}s"


def writes_rollouts(job: Job) -> bool:
    return job.kind == "train" and job.method in METHODS and METHODS[job.method].rewards


def _head(job: Job, page: rollouts.Page, language: str) -> Markup:
    title = html("<h2>{}</h2>", say("runs.rollouts", language))
    if page.last_step:
        first, last = number(page.first_step), number(page.last_step)
        help_ = say("runs.rollouts_help", language, first=first, last=last)
    else:
        help_ = say("runs.rollouts_none_ended" if job.state in TERMINAL else "runs.rollouts_none", language)
    return html('{}<p class="ts-muted">{}</p>', title, help_)


def _position(page: rollouts.Page, offset: int, language: str) -> Markup:
    if not page.rollouts:
        return Markup()
    first, last = number(offset + 1), number(offset + len(page.rollouts))
    words = say("runs.rollouts_found", language, first=first, last=last, total=number(page.total))
    return html('<p class="ts-muted" aria-live="polite">{}</p>', words)


def answers(page: rollouts.Page, terms: Sequence[str], shade: Shade, language: str) -> Markup:
    """Answers below their prompt; those to one prompt of one step, one after the other, stand together."""
    if not page.rollouts:
        return empty(say("runs.rollouts_none_such", language))
    shown = [
        (mark, rollout, _answer(mark, rollout, page.by_token.get(mark), terms, shade, language))
        for mark, rollout in page.rollouts
    ]
    groups = groupby(shown, key=lambda row: (row[1]["step"], row[1]["prompt"]))
    return join(_group([*rows], terms, language) for _, rows in groups)


def _group(rows: list[tuple[str, Rollout, Markup]], terms: Sequence[str], language: str) -> Markup:
    mark, first, _ = rows[0]
    earlier = len(first.get("earlier", []))
    return html(
        '<section class="ts-card ts-rollouts"><header><div><span class="ts-muted">{}</span>{}</div>{}</header>'
        "<ol>{}</ol></section>",
        join(
            (
                html("{}", say("runs.rollout_step", language, step=number(first["step"]))),
                *([html("{}", say("runs.rollout_earlier", language, n=earlier))] if earlier else []),
            ),
            " · ",
        ),
        _text(first["prompt"], terms, "ts-prompt", language),
        _button("pair", mark, language),
        join(answer for _, _, answer in rows),
    )


def _answer(
    mark: str,
    rollout: Rollout,
    by_token: TokenFigures | None,
    terms: Sequence[str],
    shade: Shade,
    language: str,
) -> Markup:
    tokens = token_shading.shaded(rollout, by_token, shade, language, SHOWN)
    missing = token_shading.why_not(rollout, by_token, shade, language)
    return html(
        '<li><div class="ts-rollout-figures">{}{}</div>{}{}</li>',
        _figures(rollout, language),
        html(" <span>{}</span>", missing) if missing else "",
        turns_shown(rollout, terms, language)
        or (
            _text(rollout["answer"], terms, "ts-rollout-answer", language)
            if tokens is None
            else html('<div class="ts-rollout-answer" dir="auto">{}</div>', tokens)
        ),
        _button("answer", mark, language),
    )


def _figures(rollout: Rollout, language: str) -> Markup:
    """The sum of the rewards, what it is made of, and how the answer compares with the others."""
    advantage = rollout["advantage"]
    sign = "good" if advantage > 0 else "bad" if advantage < 0 else "none"
    figures = [
        html("<span>{} <b>{}</b></span>", say("runs.rollout_reward", language), _signed(rollout["reward"])),
        html(
            '<span class="ts-rollout-{}">{} <b>{}</b></span>',
            sign,
            say("runs.rollout_advantage", language),
            _signed(advantage, plus=True),
        ),
        *(
            html("<span>{} {}</span>", reward_title(name, language), _signed(value))
            for name, value in rollout["rewards"].items()
        ),
        html("<span>{}</span>", say("runs.rollout_tokens", language, tokens=rollout["tokens"])),
    ]
    if not rollout["ended"]:
        cut = '<span class="ts-badge ts-badge-warn" title="{}">{}</span>'
        figures.append(html(cut, say("runs.rollout_cut_help", language), say("runs.rollout_cut", language)))
    return join(figures, " ")


def reward_title(name: str, language: str) -> str:
    """A reward in words; one that is had twice with other settings, or is not known any more, by its name."""
    key = f"rewards.{name}"
    return say(key, language) if key in texts.catalogue(texts.DEFAULT_LANGUAGE) else name


def _signed(value: float | None, *, plus: bool = False) -> str:
    return NOTHING if value is None else f"{value:+.3g}" if plus else f"{value:.3g}"


def _text(text: str, terms: Sequence[str], kind: str, language: str) -> Markup:
    more = len(text) - SHOWN
    rest = html(' <span class="ts-muted">{}</span>', say("browse.json_cut", language, n=number(more)))
    body = marked(text[:SHOWN], terms) if text.strip() else Markup(NOTHING)
    return html('<div class="{}" dir="auto">{}{}</div>', kind, body, rest if more > 0 else "")


def _button(kind: rollout_records.Kind, mark: str, language: str) -> Markup:
    return html(
        '<button type="button" class="ts-button" data-kind="{}" data-rollout="{}" title="{}">{}</button>',
        kind,
        mark,
        say(f"runs.rollout_{kind}_help", language),
        say(f"runs.rollout_{kind}", language),
    )


def _added(added: rollout_records.Added, language: str) -> Markup:
    dataset = added.dataset
    words = say(
        "runs.rollout_added" if added.new else "runs.rollout_added_before", language, rows=dataset.rows
    )
    link = html('<a href="/dataset?id={}">{}@{}</a>', dataset.id, dataset.name, dataset.version)
    return notice("good" if added.new else "info", html("{} {}", words, link))


def _step(value: Any) -> int | None:
    """A step that was typed, or none; raises ``BadInput``."""
    text = str(value or "").strip()
    if text and not _whole(text):
        raise BadInput("runs.rollouts_bad_step", step=text[:40])
    return _whole(text) or None


def _whole(value: Any) -> int:
    """A number that a page sent; 0 for what is none."""
    text = str(int(value)) if isinstance(value, int | float) and abs(value) < 1e15 else str(value or "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
