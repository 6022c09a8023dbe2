"""Ways of tuning beside each other, as the committed benchmark measured them: for who chooses one on the Train page."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from app.i18n import Phrase, phrases, say
from app.parts.html import NOTHING, count, html, join, number, percent, size, table
from studio_core.tunings import TUNINGS
from studio_core.tunings.measured import Figure, Measured, measured

HEADERS = ("tuning", "share", "memory", "time", "score", "merges", "mixes")


def drawn(language: str) -> Markup:
    """A disclosure with the table; what it was measured with stands above it, what was not measured below."""
    all_, phrase = measured(), phrases("train.compare_", language)
    headers = [phrase(name) for name in HEADERS]
    rows = [_row(figure, all_, phrase, language) for figure in all_.figures]
    measured_names = {figure.tuning for figure in all_.figures}
    missing = [say(way.title_key, language) for name, way in TUNINGS.items() if name not in measured_names]
    below = html('<p class="ts-muted">{}</p>', phrase("missing", names=phrase("and").join(missing)))
    return html(
        '<details class="ts-fold ts-compare" id="train-compare"><summary>{}</summary>'
        '<div class="ts-compare-body"><p class="ts-muted">{}</p>{}{}</div></details>',
        phrase("title"),
        _about(all_, phrase),
        table(headers, rows),
        below if missing else "",
    )


def _about(all_: Measured, phrase: Phrase) -> str:
    return phrase(
        "about",
        model=all_.model,
        parameters=count(all_.parameters),
        rows=number(all_.rows),
        seeds=all_.seeds,
        questions=number(sum(all_.asked.values())),
        chance=f"{all_.chance:.0f}",
        larger=all_.computed_for,
        batch=all_.batch,
        length=number(all_.length),
        date=all_.date,
    )


def _row(figure: Figure, all_: Measured, phrase: Phrase, language: str) -> list[Any]:
    adapter = not TUNINGS[figure.tuning].whole  # A complete model needs no merge, and has no batch to share.
    return [
        _name(figure, language),
        percent(figure.trained / all_.parameters),
        size(figure.memory),
        say("shell.seconds", language, s=f"{figure.seconds:.1f}"),
        f"{figure.score:.0f}",
        phrase("yes" if figure.merges else "no") if adapter else NOTHING,
        phrase("yes" if figure.mixes else "no") if adapter else NOTHING,
    ]


def _name(figure: Figure, language: str) -> Markup:
    """The way of tuning, and below it what is changed of its options."""
    tuning = TUNINGS[figure.tuning]
    titles = {field.name: say(field.title_key, language) for field in tuning.fields}
    # What is switched on says so by its title alone.
    changed = [
        titles[option] if value is True else f"{titles[option]}: {value:g}" if isinstance(value, float)
        else f"{titles[option]}: {value}"
        for option, value in figure.options.items()
    ]  # fmt: skip
    below = join(html('<div class="ts-muted">{}</div>', each) for each in changed)
    return html("<strong>{}</strong>{}", say(tuning.title_key, language), below)
