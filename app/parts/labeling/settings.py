"""Settings and guidelines of a project, changed while people are at work; and how it is put away."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.access import STAFF, current_user, only
from app.i18n import language_of, say, t
from app.parts.events import ASKED, LIGHT, on_open
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import ago, heading, html, notice, panel, table
from app.parts.labeling import guide, opened
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import LabelProject
from studio_core.labeling import changing, projects
from studio_core.labeling.projects import settings_of

NAME = "settings"
ROLES = STAFF


def build(studio: Studio, tab: gr.Tab) -> None:
    with gr.Column(elem_classes="ts-card", elem_id="label-guide-edit"):
        heading("labeling.settings_guide")
        text = gr.Textbox(
            label=t("labeling.settings_guide_text"),
            show_label=False,
            lines=8,
            max_lines=30,
            elem_id="label-guide-text",
        )
        write = gr.Button(
            t("labeling.settings_guide_save"),
            variant="primary",
            elem_id="label-guide-save",
            scale=0,
            min_width=260,
        )
        with gr.Row():
            first = gr.Dropdown([], label=t("labeling.settings_from"), elem_id="label-guide-from")
            second = gr.Dropdown([], label=t("labeling.settings_to"), elem_id="label-guide-to")
            back = gr.Button(
                t("labeling.settings_guide_back"), elem_id="label-guide-back", scale=0, min_width=260
            )
        history = panel("label-guide-versions")
        differences = panel("label-guide-difference")
    with gr.Column(elem_classes="ts-card", elem_id="label-settings"):
        heading("labeling.settings")
        with gr.Row():
            votes = _whole("votes", 1, 20)
            scale = _whole("scale", 2, 10)
            repeats = _whole("repeats", 0, 50)
            held_out = _whole("held_out", 0, 50)
        with gr.Row():
            blind = gr.Checkbox(label=t("labeling.settings_blind"), elem_id="label-settings-blind")
            strength = gr.Checkbox(label=t("labeling.strength"), elem_id="label-settings-strength")
            correct = gr.Checkbox(label=t("labeling.settings_correct"), elem_id="label-settings-correct")
        reasons = gr.Dropdown(
            [],
            multiselect=True,
            allow_custom_value=True,
            max_choices=12,
            label=t("labeling.reasons"),
            info=t("labeling.settings_reasons_help"),
            elem_id="label-settings-reasons",
        )
        save = gr.Button(
            t("labeling.settings_save"),
            variant="primary",
            elem_id="label-settings-save",
            scale=0,
            min_width=260,
        )
        saved = panel("label-settings-saved")
    by_name = {
        "votes": votes, "scale": scale, "repeats": repeats, "held_out": held_out, "blind": blind,
        "strength": strength, "correct": correct, "reasons": reasons,
    }  # fmt: skip
    guideline = {
        "text": text,
        "first": first,
        "second": second,
        "history": history,
        "differences": differences,
    }
    parts = {**guideline, **by_name}
    section, fields, versions = Settings(studio, parts), list(by_name.values()), list(guideline.values())
    on_open(section.open_settings, list(parts.values()))
    write.click(safely(section.written), text, versions, trigger_mode="once", **ASKED)
    back.click(safely(section.text_of), first, text, **LIGHT)
    gr.on(
        [first.input, second.input],
        safely(section.compared),
        [first, second],
        differences,
        **LIGHT,
    )
    save.click(safely(section.changed), fields, saved, trigger_mode="once", **ASKED)


def _whole(name: str, least: int, most: int) -> gr.Number:
    return gr.Number(
        label=t(f"labeling.settings_{name}"),
        precision=0,
        minimum=least,
        maximum=most,
        elem_id=f"label-settings-{name.replace('_', '-')}",
        min_width=140,
    )


class Settings(Handlers):
    """What the section does when the page is opened, and on its buttons."""

    def open_settings(self, request: gr.Request) -> Any:
        if not request.query_params.get("project") or current_user(request).role not in STAFF:
            return gr.skip()
        project = opened(self.studio, request)
        current = settings_of(project)
        rated = project.mode == "rate"
        language = language_of(request)
        offered = [(say(f"labeling.reason_{name}", language), name) for name in projects.REASONS]
        offered += [(name, name) for name in current.reasons if name not in projects.REASONS]
        fields = self._updates(
            votes=current.votes,
            scale=gr.Number(value=current.scale, visible=rated),
            repeats=gr.Number(value=round(100 * current.repeats), visible=project.mode == "pairs"),
            held_out=round(100 * current.held_out),
            blind=current.blind,
            strength=gr.Checkbox(value=current.strength, visible=project.mode == "pairs"),
            correct=gr.Checkbox(value=current.correct, visible=rated),
            reasons=gr.Dropdown(choices=offered, value=current.reasons),
        )
        return {**self._versions(project, language), **fields}

    def _versions(self, project: LabelProject, language: str) -> Updates:
        """The newest text, two versions to compare, all of them as a list, and what the newest changed."""
        texts = projects.all_guidelines(self.studio, project.id)
        names = [(say("labeling.settings_version", language, n=g.version), g.version) for g in texts]
        newest, before = texts[0], texts[1] if len(texts) > 1 else texts[0]
        heads = [say(f"labeling.settings_col_{name}", language) for name in ("version", "when", "length")]
        rows = [[g.version, ago(g.created_at, language), len(g.text)] for g in texts]
        return self._updates(
            text=newest.text,
            first=gr.Dropdown(choices=names, value=before.version),
            second=gr.Dropdown(choices=names, value=newest.version),
            history=table(heads, rows),
            differences=_difference(before.text, newest.text, language) if len(texts) > 1 else "",
        )

    @only(STAFF)
    def written(self, request: gr.Request, text: Any) -> Updates:
        """The next version; annotators are told of it with their next vote."""
        project = opened(self.studio, request)
        projects.write_guidelines(self.studio, project.id, str(text or ""))
        return self._versions(project, language_of(request))

    @only(STAFF)
    def compared(self, request: gr.Request, first: Any, second: Any) -> Markup:
        return _difference(self._text(request, first), self._text(request, second), language_of(request))

    @only(STAFF)
    def text_of(self, request: gr.Request, version: Any) -> str:
        """An earlier version for the editor: saved, it is the newest again."""
        return self._text(request, version)

    def _text(self, request: gr.Request, version: Any) -> str:
        texts = projects.all_guidelines(self.studio, opened(self.studio, request).id)
        guidelines = next((text for text in texts if text.version == version), None)
        if guidelines is None:
            raise BadInput("labeling.settings_no_version", version=str(version)[:20])
        return guidelines.text

    @only(STAFF)
    def changed(
        self,
        request: gr.Request,
        votes: Any,
        scale: Any,
        repeats: Any,
        held_out: Any,
        blind: Any,
        strength: Any,
        correct: Any,
        reasons: Any,
    ) -> Markup:
        project = opened(self.studio, request)
        changes = {
            "votes": votes,
            "scale": scale,
            # Percent on the page, a share in the project.
            "repeats": (repeats or 0) / 100,
            "held_out": _share(held_out, settings_of(project).held_out),
            "blind": bool(blind),
            "strength": bool(strength),
            "correct": bool(correct),
            "reasons": [str(reason).strip()[:60] for reason in reasons or [] if str(reason).strip()],
        }
        changing.change(self.studio, project.id, changes)
        return notice("good", say("labeling.settings_saved", language_of(request)))


def _share(percent: Any, current: float) -> float:
    """What is shown as whole percent changes nothing unless somebody changed it."""
    return current if percent == round(100 * current) else (percent or 0) / 100


def _difference(before: str, after: str, language: str) -> Markup:
    changes = guide.difference(before, after)
    if not changes:
        return html('<p class="ts-muted">{}</p>', say("labeling.settings_same", language))
    return html('<div class="ts-label-changes">{}</div>', changes)
