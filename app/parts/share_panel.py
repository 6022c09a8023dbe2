"""Links to one run, on its page: made, listed, revoked. A link is seen once, when it is made."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.access import current_user
from app.i18n import language_of, phrases, t
from app.parts.events import ASKED
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import ago, html, join, muted, notice, panel, table
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Job, RunLink
from studio_core.notices import links

_REVOKE = """
element.addEventListener('click', (event) => {
	const button = event.target.closest('[data-revoke]');
	if (button) { button.disabled = true; trigger('revoke', { link: Number(button.dataset.revoke) }); }
});
"""


def share_parts() -> dict[str, Any]:
    """The section, closed until somebody opens it."""
    with gr.Accordion(t("notices.share"), open=False, elem_id="run-share", visible=False) as section:
        muted("notices.share_lead")
        local = panel("share-local")
        with gr.Row(elem_classes="ts-run-actions"):
            answers = gr.Checkbox(False, label=t("notices.share_answers"), elem_id="share-answers")
            make = gr.Button(t("notices.share_make"), elem_id="share-make", scale=0, min_width=140)
        told = panel("share-told", js_on_load=_COPY)
        listed = panel("share-links", js_on_load=_REVOKE)
    return {
        "share": section, "share_local": local, "share_answers": answers, "share_make": make, "share_told": told,
        "share_links": listed,
    }  # fmt: skip


_COPY = """
element.addEventListener('click', async (event) => {
	const button = event.target.closest('[data-share-copy]');
	if (!button) return;
	const link = element.querySelector('#share-link');
	getSelection().selectAllChildren(link);
	if (navigator.clipboard) await navigator.clipboard.writeText(link.textContent);
	else document.execCommand('copy');
	button.textContent = button.dataset.done;
});
"""


class SharePanel(Handlers):
    """What its buttons do. The run is that of the page's address."""

    def listen(self) -> None:
        outputs = [self.parts["share_told"], self.parts["share_links"]]
        self.parts["share_make"].click(
            self.made, [self.parts["share_answers"]], outputs, trigger_mode="once", **ASKED
        )
        self.parts["share_links"].revoke(self.revoked, None, outputs, trigger_mode="once", **ASKED)

    @safely
    def made(self, answers: bool, request: gr.Request) -> Updates:
        link, token = links.add(self.studio, _run_of(request), current_user(request), answers=answers is True)
        phrase = phrases("notices.share_", language_of(request))
        address = links.address(str(request.request.base_url), token)
        words = html(
            '<p>{}</p><div class="ts-row"><code id="share-link" class="ts-mono">{}</code>'
            '<button type="button" class="ts-button" data-share-copy data-done="{}">{}</button></div>',
            phrase("made"),
            address,
            phrase("copied"),
            phrase("copy"),
        )
        return self._updates(share_told=notice("good", words), share_links=self._drawn(link.job_id, request))

    @safely
    def revoked(self, event: gr.EventData, request: gr.Request) -> Updates:
        asked = event._data if isinstance(event._data, dict) else {}
        number, run = asked.get("link"), _run_of(request)
        # Of this run only: a page acts on what it shows.
        if type(number) is not int or number not in {link.id for link in links.of_run(self.studio, run)}:
            raise BadInput("notices.no_link", link=str(number)[:20])
        links.revoke(self.studio, number)
        return self._updates(share_told="", share_links=self._drawn(run, request))

    def _drawn(self, run: int, request: gr.Request) -> Markup:
        return listing(links.of_run(self.studio, run), language_of(request))


def opening(studio: Studio, job: Job, language: str) -> dict[str, Any]:
    """The section as a run's page begins, by the names of its parts."""
    local = phrases("notices.share_", language)("local")
    return {
        "share": gr.update(visible=job.kind == "train"),
        "share_local": "" if links.reaches_others(studio.settings) else notice("info", local),
        "share_told": "",
        "share_links": listing(links.of_run(studio, job.id), language),
    }


def listing(found: Any, language: str) -> Markup:
    """Who made which link and when, and whether it still opens."""
    phrase = phrases("notices.share_", language)
    if not found:
        return html('<p class="ts-muted">{}</p>', phrase("none"))
    heads = [phrase("when"), phrase("by"), phrase("seen"), phrase("state")]
    return table(heads, [_row(link, language) for link in found])


def _row(link: RunLink, language: str) -> list[Any]:
    phrase = phrases("notices.share_", language)
    state = "revoked" if link.revoked_at else "open"
    marks = [
        html(
            '<span class="ts-badge ts-badge-{}">{}</span>',
            "good" if state == "open" else "bad",
            phrase(state),
        )
    ]
    if link.answers:
        marks.append(html('<span class="ts-muted">{}</span>', phrase("with_answers")))
    if state == "open":
        button = '<button type="button" class="ts-button" data-revoke="{}">{}</button>'
        marks.append(html(button, link.id, phrase("revoke")))
    seen = ago(link.seen_at, language) if link.seen_at else phrase("never")
    return [ago(link.created_at, language), link.by, seen, join(marks, " ")]


def _run_of(request: gr.Request) -> int:
    asked = str(request.query_params.get("run", ""))
    if not (asked.isascii() and asked.isdigit() and len(asked) < 16):
        raise BadInput("job_not_found", job=asked[:40])
    return int(asked)
