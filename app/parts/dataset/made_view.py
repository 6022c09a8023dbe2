"""How models made a version: who answered, what it cost, and how scores or surprise are spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from app.i18n import phrases, say
from app.parts.html import html, join, number, stat, table
from studio_core.base.tables import Dataset

WIDTH, HEIGHT, BASE = 640, 170, 140
"""Of the drawing, and where its bars stand."""

COLOURS = {
    "chosen": "ts-bar-a",
    "best": "ts-bar-a",
    "score": "ts-bar-a",
    "rejected": "ts-bar-b",
    "mean": "ts-bar-b",
}


def shown(dataset: Dataset, language: str, *, folded: bool = True) -> Markup:
    """Nothing, if no model had a part in it."""
    details = dataset.made.get("details", {}) if dataset.made else {}
    asked, spread = details.get("answers", []), details.get("distribution", {})
    if not asked and not spread.get("edges"):
        return Markup()
    ensemble = details.get("ensemble")
    parts = [
        *(_asked(operation, language) for operation in asked),
        *([_ensemble(ensemble, language)] if ensemble else []),
        _spread(spread, dataset.operation, language),
    ]
    if not folded:
        return join(parts)
    title = say("generation.view.title", language)
    return html(
        '<details class="ts-card ts-made" id="dataset-made"><summary>{}</summary>{}</details>',
        title,
        join(parts),
    )


def _asked(answers: Mapping[str, Any], language: str) -> Markup:
    """The figures of one model or service that was asked."""
    phrase = phrases("generation.view.", language)
    figures = [
        stat(phrase("who"), str(answers["who"])),
        stat(phrase("asked"), number(answers["asked"])),
        stat(phrase("cached"), number(answers["cached"])),
        stat(phrase("failed"), number(answers["failed"])),
        stat(phrase("tokens"), number(answers["tokens_in"] + answers["tokens_out"])),
    ]
    if answers.get("priced"):
        figures.append(stat(phrase("cost"), f"{answers['cost']:.4f}"))
        figures.append(stat(phrase("saved"), f"{answers['saved']:.4f}"))
    reasons = table(
        [phrase("reasons"), ""], [[reason, number(n)] for reason, n in answers["reasons"].items()]
    )
    return html(
        '<div class="ts-figures">{}</div>{}', join(figures), reasons if answers["reasons"] else Markup()
    )


def _ensemble(ensemble: Mapping[str, Any], language: str) -> Markup:
    """Which reward models were read together, and how far they disagree."""
    phrase = phrases("generation.view.", language)
    figures = [
        stat(phrase("ensemble"), ", ".join(ensemble["models"])),
        *(
            stat(phrase(name), f"{ensemble[name]:.2f}")
            for name in ("disagreement", "disagreement_90", "correlation")
        ),
    ]
    return html('<div class="ts-figures">{}</div>', join(figures))


def _spread(spread: Mapping[str, Any], operation: str, language: str) -> Markup:
    """Bars of each series, side by side, with the threshold as a line."""
    edges, counts = spread.get("edges", []), spread.get("counts", {})
    tallest = max((count for series in counts.values() for count in series), default=0)
    if len(edges) < 2 or not tallest:
        return Markup()
    names = [(name, say(f"generation.view.series.{name}", language)) for name in counts]
    bars = [
        _bar(place, len(edges) - 1, which, len(counts), count / tallest, COLOURS.get(name, "ts-bar-a"), count)
        for which, (name, series) in enumerate(counts.items())
        for place, count in enumerate(series)
        if count
    ]
    legend = [
        html(
            '<span class="ts-spread-series {}">{}: {}</span>',
            COLOURS.get(name, "ts-bar-a"),
            title,
            say(
                "generation.view.mean",
                language,
                value=f"{spread['mean'].get(name, 0):.3g}",
                n=number(spread["n"].get(name, 0)),
            ),
        )
        for name, title in names
    ]
    threshold = spread.get("threshold")
    if threshold is not None:
        bars.append(_line(threshold, edges, language))
    axis = say(f"generation.view.axis.{operation}", language)
    return html(
        '<figure class="ts-spread"><figcaption>{}</figcaption><svg viewBox="0 0 {} {}" role="img" '
        'aria-label="{}">{}{}</svg></figure>',
        join(legend, " "),
        WIDTH,
        HEIGHT,
        axis,
        join(bars),
        _axis(edges, axis),
    )


def _bar(place: int, places: int, which: int, series: int, height: float, colour: str, count: int) -> Markup:
    room = WIDTH / places
    width = room * 0.9 / series
    return html(
        '<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>',
        colour,
        place * room + room * 0.05 + which * width,
        BASE - height * (BASE - 20),
        width,
        height * (BASE - 20),
        number(count),
    )


def _line(threshold: float, edges: Sequence[float], language: str) -> Markup:
    share = (threshold - edges[0]) / (edges[-1] - edges[0])
    x = min(max(share, 0.0), 1.0) * WIDTH
    note = say("generation.view.threshold", language, value=f"{threshold:.3g}")
    anchor = "end" if x > WIDTH / 2 else "start"
    return html(
        '<line class="ts-threshold" x1="{0:.1f}" x2="{0:.1f}" y1="4" y2="{1}"/>'
        '<text x="{2:.1f}" y="14" text-anchor="{3}">{4}</text>',
        x,
        BASE,
        x + (-6 if anchor == "end" else 6),
        anchor,
        note,
    )


def _axis(edges: Sequence[float], title: str) -> Markup:
    middle = edges[len(edges) // 2]
    labels = ((0, "start", edges[0]), (WIDTH / 2, "middle", middle), (WIDTH, "end", edges[-1]))
    return html(
        '<line class="ts-axis" x1="0" x2="{}" y1="{}" y2="{}"/>{}<text x="{}" y="{}" text-anchor="middle">{}</text>',
        WIDTH,
        BASE,
        BASE,
        join(
            html('<text x="{}" y="{}" text-anchor="{}">{:.3g}</text>', x, BASE + 13, anchor, value)
            for x, anchor, value in labels
        ),
        WIDTH / 2,
        HEIGHT - 3,
        title,
    )
