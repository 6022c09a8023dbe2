"""What a check before adding has found, as a card; and what a search of the Hub has brought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from markupsafe import Markup

from app.i18n import Phrase, phrases, say
from app.parts import open_models
from app.parts.html import NOTHING, count, empty, html, join, notice, number, size, stat, table
from studio_core.models.checking import Checked
from studio_core.models.hub import Hit
from studio_core.training.room import Need


def card(checked: Checked, needs: Sequence[Need], language: str) -> Markup:
    """What it is, what stands in the way, what is to be known, and the memory of each use."""
    phrase = phrases("catalogue.", language)
    problems = join(notice("bad", problem.sentence(language)) for problem in checked.problems)
    fine = Markup() if checked.problems else notice("good", phrase("no_problems"))
    return html(
        '<section class="ts-card ts-stack ts-model-check"><h2>{}</h2><div class="ts-figures">{}</div>{}{}{}{}'
        "</section>",
        checked.source,
        _figures(checked, phrase, language),
        problems or fine,
        _known(checked, phrase),
        _notes(checked, phrase),
        _memory(needs, phrase, language),
    )


def _figures(checked: Checked, phrase: Phrase, language: str) -> Markup:
    found = checked.inspected
    unknown = phrase("architecture_unknown") if found and checked.supported is None else ""
    amount = (
        (phrase("download_size"), checked.download)
        if checked.on_hub
        else (phrase("weights_size"), found.bytes if found else None)
    )
    figures = [
        stat(phrase("architecture"), found.architecture if found else NOTHING, unknown),
        stat(phrase("parameters"), count(found.parameters if found else None)),
        stat(phrase("precision"), (found.precision if found else "") or NOTHING),
        stat(phrase("context"), number(found.max_length or None) if found else NOTHING),
        stat(amount[0], size(amount[1])),
        stat(phrase("free"), size(checked.free)),
    ]
    if checked.on_hub:
        figures.append(stat(phrase("licence"), checked.licence or NOTHING))
    return join(figures)


def _known(checked: Checked, phrase: Phrase) -> Markup:
    if not checked.known_as:
        return Markup()
    link = html('<a href="/models?model={}">{}</a>', quote(checked.known_as, safe=""), checked.known_as)
    before, _, after = phrase("known_as", model="\0").partition("\0")
    return notice("info", html("{}{}{}", before, link, after))


def _notes(checked: Checked, phrase: Phrase) -> Markup:
    """What is no obstacle, and good to know."""
    found = checked.inspected
    notes = [phrase(f"gated_{checked.gated}")] if checked.gated else []
    if found and found.own_code:
        notes.append(phrase("has_own_code"))
    if found and not found.chat_template:
        notes.append(phrase("standard_template"))
    if found and found.quantised:
        notes.append(phrase("quantised"))
    return html("<ul>{}</ul>", join(html("<li>{}</li>", note) for note in notes)) if notes else Markup()


def _memory(needs: Sequence[Need], phrase: Phrase, language: str) -> Markup:
    if not needs:
        return Markup()
    figures = join(stat(phrase(f"way_{need.way}"), open_models.fit(need, language)) for need in needs)
    return html('<h3>{}</h3><div class="ts-figures ts-model-needs">{}</div>', phrase("memory"), figures)


def hits(found: Sequence[Hit], here: Mapping[str, str], text: str, language: str) -> Markup:
    """The models that a search of the Hub has brought, each with the way to its check."""
    phrase = phrases("catalogue.", language)
    if not found:
        return empty(phrase("found_none", text=text))
    headers = [
        say("shell.models_model", language), phrase("parameters"), phrase("licence"), phrase("downloads"),
        say("shell.models_next", language),
    ]  # fmt: skip
    rows = [
        [
            html("<strong>{}</strong>{}", hit.name, _badges(hit, phrase)),
            count(hit.parameters),
            hit.licence or NOTHING,
            number(hit.downloads),
            open_models.way_on(hit.name, here, language),
        ]
        for hit in found
    ]
    return table(headers, rows)


def _badges(hit: Hit, phrase: Phrase) -> Markup:
    named = [name for name, holds in (("gated", hit.gated), ("no_safetensors", not hit.safetensors)) if holds]
    badges = join(html(' <span class="ts-badge ts-badge-warn">{}</span>', phrase(name)) for name in named)
    return html('<div class="ts-row">{}</div>', badges) if named else Markup()
