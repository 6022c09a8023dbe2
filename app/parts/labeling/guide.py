"""Guidelines as they are read beside the task, with what changed in them."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from app.i18n import say
from app.parts.html import html, join
from app.parts.markdown import rendered
from studio_core.base.studio import Studio
from studio_core.base.tables import LabelProject
from studio_core.labeling import projects, votes
from studio_core.labeling.words import changes

_ELEMENTS = {"same": "span", "gone": "del", "new": "ins"}


@dataclass(frozen=True)
class Shown:
    version: int
    html: Markup
    changes: Markup
    """Against the version that was read before; empty if there is none, or nothing changed."""


def shown(studio: Studio, project: int, since: int) -> Shown:
    """The newest guidelines, beside those of the version ``since``; 0 for none."""
    by_version = {guidelines.version: guidelines for guidelines in projects.all_guidelines(studio, project)}
    newest = max(by_version, default=0)
    if not newest:
        return Shown(0, Markup(), Markup())
    text, before = by_version[newest].text, by_version.get(since)
    changes = difference(before.text, text) if before and before.version < newest else Markup()
    return Shown(newest, rendered(text), changes)


def difference(before: str, after: str) -> Markup:
    """What was taken out and put in; nothing if both are the same."""
    if before == after:
        return Markup()
    return join(
        html(f"<{_ELEMENTS[kind]}>{{}}</{_ELEMENTS[kind]}>", text) for kind, text in changes(before, after)
    )


def beside(studio: Studio, project: LabelProject, annotator: str, language: str) -> Markup:
    """The column beside the task; it says so if the guidelines changed since this person's last vote."""
    last = votes.history(studio, project.id, annotator, 1)
    read = shown(studio, project.id, last[0].guidelines if last else 0)
    return html(
        '<aside class="ts-label-guide" data-part="guide" data-version="{}" aria-label="{}"{}>'
        '<div class="ts-notice ts-notice-warn" role="status" data-part="guide-news"{}><strong>{}</strong>'
        '<div class="ts-label-changes" data-part="guide-changes">{}</div>'
        '<button type="button" class="ts-button" data-part="guide-seen">{}</button></div>'
        '<details class="ts-card" open><summary>{} <kbd>G</kbd></summary>'
        '<div data-part="guide-text">{}</div></details></aside>',
        read.version,
        say("labeling.guidelines", language),
        Markup("") if read.html.strip() else Markup(" hidden"),
        Markup("") if read.changes else Markup(" hidden"),
        say("labeling.screen_guide_changed", language),
        read.changes,
        say("labeling.screen_guide_seen", language),
        say("labeling.guidelines", language),
        read.html,
    )
