"""A choice among many that each need a line of explanation: a button that opens a list of titles with their help.

Gradio's dropdown has names only, and its radio buttons are all there at once. What is chosen stands in the
``data-value`` of what is drawn; ``static/js/chooser.js`` changes it there and triggers ``input``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import gradio as gr
from markupsafe import Markup

from app.files import mounts
from app.parts.html import html, join, panel


@dataclass(frozen=True)
class Choice:
    """One entry of the list. Entries of one ``group`` stand together."""

    value: str
    title: str
    help: str
    group: str
    refusal: str = ""
    """Why it cannot be chosen now; empty if it can."""


def chooser(elem_id: str) -> gr.HTML:
    """The place of a chooser; ``drawn`` gives its value."""
    script = f"window.tunesmith.waits({mounts('js/chooser.js', 'trigger')}); 'input'"
    return panel(elem_id, js_on_load=script)


def drawn(elem_id: str, label: str, choices: Sequence[Choice], value: str) -> Markup:
    """The chooser ``elem_id`` with ``value`` chosen; raises ``StopIteration`` if that is none of ``choices``."""
    chosen = next(choice for choice in choices if choice.value == value)
    grouped = sorted(choices, key=lambda choice: [other.group for other in choices].index(choice.group))
    groups = join(
        _group(f"{elem_id}-group-{place}", name, list(members), elem_id, value)
        for place, (name, members) in enumerate(groupby(grouped, key=lambda choice: choice.group))
    )
    return html(
        '<div class="ts-chooser" data-value="{value}">'
        '<span class="ts-chooser-label" id="{id}-label">{label}</span>'
        '<button type="button" class="ts-chooser-button" role="combobox" aria-haspopup="listbox"'
        ' aria-expanded="false" aria-controls="{id}-list" aria-labelledby="{id}-label {id}-title"'
        ' aria-describedby="{id}-help">'
        '<span class="ts-chooser-title" id="{id}-title">{title}</span>'
        '<span class="ts-chooser-help" id="{id}-help">{help}</span></button>'
        '<div class="ts-chooser-list" role="listbox" id="{id}-list" aria-labelledby="{id}-label" hidden>'
        "{groups}</div></div>",
        id=elem_id,
        label=label,
        value=value,
        title=chosen.title,
        help=chosen.help,
        groups=groups,
    )


def _group(group_id: str, name: str, members: Sequence[Choice], elem_id: str, value: str) -> Markup:
    return html(
        '<div class="ts-chooser-group" role="group" aria-labelledby="{}"><span id="{}">{}</span>{}</div>',
        group_id,
        group_id,
        name,
        join(
            _option(choice, f"{elem_id}-option-{choice.value}", choice.value == value) for choice in members
        ),
    )


def _option(choice: Choice, option_id: str, selected: bool) -> Markup:
    return html(
        '<div class="ts-chooser-option" role="option" id="{id}" data-value="{value}" aria-selected="{selected}"'
        '{disabled} aria-labelledby="{id}-title" aria-describedby="{id}-help">'
        '<span class="ts-chooser-title" id="{id}-title">{title}</span>'
        '<span class="ts-chooser-help" id="{id}-help">{help}</span></div>',
        id=option_id,
        value=choice.value,
        selected="true" if selected else "false",
        disabled=Markup(' aria-disabled="true"') if choice.refusal else "",
        title=choice.title,
        help=choice.refusal or choice.help,
    )
