"""Merging adapters on the Models page: which of them, with what weights, and how."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

import gradio as gr
from markupsafe import Markup

from app.i18n import Phrase, language_of, phrases, t
from app.parts.events import ASKED, GO, LIGHT, on_open
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import NOTHING, empty, html, panel, table
from app.parts.options_form import component_of, element_id
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.validation import validate
from studio_core.models import merging
from studio_core.models.merging import Candidate, MergeOptions
from studio_core.options import checked, fields
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.spec import MergeSpec

FIELDS = {field.name: field for field in fields(MergeOptions, merging.AREAS)}
INPUTS = ("weights", "method", "density", "seed", "name", "key")
"""What a click sends, in this order."""

# The first input becomes the weights of the adapters that are chosen, by name, as they are typed.
_WEIGHTS = """(_, ...given) => [JSON.stringify(Object.fromEntries(
	[...document.querySelectorAll('#merge-adapters input:checked')].map((box) =>
		[box.value, box.closest('tr').querySelector('input[type=text]').value.trim()]))), ...given]"""
# Who types a weight means the adapter.
_CHOOSE = """
element.addEventListener('input', ({ target }) => {
	const box = target.closest('tr').querySelector('[type=checkbox]');
	if (target.type === 'text' && target.value.trim()) box.checked = true;
});
"""


def build(studio: Studio) -> None:
    with gr.Accordion(t("models.merge.title"), open=False, elem_id="models-merge"):
        parts: dict[str, Any] = {"adapters": panel("merge-adapters", js_on_load=_CHOOSE)}
        with gr.Row():
            for name in ("method", "density"):
                parts[name] = component_of(FIELDS[name], element_id("merge", FIELDS[name]))
            parts["seed"] = gr.Number(
                0, precision=0, label=t("train.seed"), info=t("models.merge.seed.help"), elem_id="merge-seed"
            )
            parts["name"] = gr.Textbox(
                label=t("models.merge.name"),
                info=t("models.merge.name.help"),
                max_length=80,
                max_lines=1,
                elem_id="merge-name",
            )
        parts["start"] = gr.Button(
            t("models.merge.start"), variant="primary", elem_id="merge-start", scale=0, interactive=False
        )
    parts.update(weights=gr.Textbox(visible=False), address=gr.Textbox(visible=False), key=gr.State(""))
    form = MergeForm(studio, parts)
    of_method = [parts[name] for name in ("method", "density", "seed")]
    on_open(form.opened, [parts["adapters"], parts["start"], parts["key"], *of_method])
    parts["method"].input(form.method_chosen, parts["method"], of_method, **LIGHT)
    parts["start"].click(
        form.merge_started,
        [parts[name] for name in INPUTS],
        parts["address"],
        trigger_mode="once",
        js=_WEIGHTS,
        **ASKED,
    ).then(None, js=GO, inputs=[parts["address"]])


class MergeForm(Handlers):
    @safely
    def opened(self, request: gr.Request) -> Updates:
        """The adapters that there are. A page that is opened again asks for a merge of its own: it has a new key."""
        listed = merging.candidates(self.studio)
        enough = sum(candidate.problem is None for candidate in listed) > 1
        return {
            **self._updates(
                adapters=adapters(listed, language_of(request)),
                start=gr.update(interactive=enough),
                key=secrets.token_hex(8),
            ),
            **self._of_method(FIELDS["method"].default),
        }

    @safely
    def method_chosen(self, method: str) -> Updates:
        return self._of_method(checked(MergeOptions, {"method": method}, "merge", merging.AREAS).method)

    def _of_method(self, method: str) -> Updates:
        """What it is for, and those options alone that it has a use for."""
        return self._updates(
            method=gr.update(info=t(FIELDS["method"].choices_with_help[method])),
            density=gr.update(visible=method in merging.SPARSE),
            seed=gr.update(visible=method in merging.DROPPING),
        )

    @safely
    def merge_started(
        self, weights: str, method: str, density: float, seed: int, name: str, key: str, request: gr.Request
    ) -> str:
        """One click, one job; the page then goes to it."""
        options: dict[str, Any] = {"method": method}
        if method in merging.SPARSE and density is not None:
            options["density"] = density
        spec = validate(
            MergeSpec,
            {
                "adapters": weighted(weights, method),
                "options": options,
                "name": name or "",
                "seed": seed or 0,
            },
            "models.merge.invalid",
        )
        job = merging.submit(self.studio, spec, key=key or request.session_hash)
        ensure_engine(self.studio)
        return f"/runs?run={job.id}"


def weighted(typed: str, method: str) -> Mapping[str, Any]:
    """Weights by adapter of what a page sends; one that was left empty is as every other."""
    try:
        weights = json.loads(typed or "{}")
    except (ValueError, RecursionError) as error:
        raise BadInput("shell.refused_call") from error
    if not isinstance(weights, dict):
        raise BadInput("shell.refused_call")
    even = merging.even_weight(method, len(weights))
    return {name: even if weight == "" else weight for name, weight in weights.items()}


def adapters(listed: list[Candidate], language: str) -> Markup:
    """All adapters to choose from, each with its weight; what no merge takes says why."""
    phrase = phrases("models.merge.", language)
    if not listed:
        return empty(phrase("none"), (phrase("train_first"), "/train?tuning=lora"))
    headers = [phrase(name) for name in ("adapter", "base", "rank", "weight")]
    rows = [_row(candidate, phrase, language) for candidate in listed]
    return html(
        '<div class="ts-stack"><p class="ts-muted">{}</p>{}</div>', phrase("lead"), table(headers, rows)
    )


def _row(candidate: Candidate, phrase: Phrase, language: str) -> list[Any]:
    name, base = candidate.model.name, candidate.base
    if candidate.problem is not None:
        reason = html('<span class="ts-muted">{}</span>', candidate.problem.sentence(language))
        return [html('<span class="ts-merge-name">{}</span>{}', name, reason), base, NOTHING, NOTHING]
    box = html(
        '<label class="ts-merge-choice"><input type="checkbox" value="{0}">'
        '<span class="ts-merge-name">{0}</span></label>',
        name,
    )
    weight = html(
        '<input type="text" class="ts-merge-weight" inputmode="decimal" autocomplete="off" maxlength="20"'
        ' aria-label="{}">',
        phrase("weight_of", model=name),
    )
    return [box, base, candidate.rank, weight]
