"""What the votes of a project are worth, and what was made of them."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from app.i18n import phrases, say
from app.parts.html import NOTHING, html, join, notice, number, stat, table
from studio_core.base.tables import Dataset
from studio_core.labeling.agreement import Habits
from studio_core.labeling.statistics import Statistics
from studio_core.statistics.agreement_rate import SHARED, Share


def statistics(statistics_: Statistics, language: str) -> Markup:
    """Counts, agreement and biases, with their uncertainty."""
    phrase = phrases("labeling.", language)
    agreement = statistics_.agreement
    if agreement.raw is None:
        agreed = phrase("agreement_unknown", shared=agreement.items, needed=SHARED)
    else:
        agreed = phrase("agreement_raw", percent=f"{100 * agreement.raw:.0f}", items=number(agreement.items))
    alpha = NOTHING
    if agreement.alpha is not None:
        alpha = f"{agreement.alpha:.2f} ({agreement.alpha_low:.2f} – {agreement.alpha_high:.2f})"
    figures = join(
        [
            stat(
                phrase("stat_done"),
                phrase("done_of", done=number(statistics_.done), items=number(statistics_.items)),
            ),
            stat(phrase("stat_conflicts"), number(len(statistics_.conflicts))),
            stat(phrase("stat_alpha"), alpha, agreed),
        ]
    )
    people = {phrase("everybody"): statistics_.everybody, **statistics_.annotators}
    # Of one answer no side is chosen, and only pairs are shown again.
    left_out = set() if statistics_.project.mode == "pairs" else {"left", "longer", "same"}
    left_out |= set() if statistics_.everybody.good.of else {"good"}
    shown = [name for name in _habits(statistics_.everybody) if name not in left_out]
    heads = [phrase(f"habit_{name}") for name in ("who", *shown)]
    rows = [
        [name, *(cell for key, cell in _habits(habits).items() if key in shown)]
        for name, habits in people.items()
        if habits.votes
    ]
    body = table(heads, rows) if rows else html('<p class="ts-muted">{}</p>', phrase("no_votes"))
    return html(
        '<section class="ts-stack"><h2>{}</h2><div class="ts-card"><div class="ts-figures">{}</div></div>{}</section>',
        phrase("statistics"),
        figures,
        body,
    )


def _habits(habits: Habits) -> dict[str, str]:
    """What is known of somebody's votes, by the name of its column."""
    return {
        "votes": number(habits.votes),
        "left": share_of(habits.left_wins),
        "longer": share_of(habits.longer_wins),
        "good": share_of(habits.good),
        "median": NOTHING if habits.median_seconds is None else f"{habits.median_seconds:.1f} s",
        "fast": share_of(habits.fast),
        "same": share_of(habits.consistent),
        "pace": NOTHING if habits.hourly is None else f"{number(round(habits.hourly))} / h",
    }


def share_of(share: Share) -> str:
    """``61 % (48 – 73) of 60``"""
    if share.rate is None:
        return NOTHING
    return f"{100 * share.rate:.0f} % ({100 * share.low:.0f} – {100 * share.high:.0f}), n = {share.of}"


def dataset_links(datasets: Sequence[Dataset], train_address: str, language: str) -> Markup:
    """What was made of the votes, and the way to train on it, if there is a method that does."""
    train = Markup()
    if train_address:
        train = html(
            '<a class="ts-button ts-button-primary" href="{}">{}</a>',
            train_address,
            say("labeling.train", language),
        )
    links = join(
        html(
            '<a href="/dataset?id={}">{}@{} ({})</a>',
            dataset.id,
            dataset.name,
            dataset.version,
            number(dataset.rows),
        )
        for dataset in datasets
    )
    return notice(
        "good", html("{} {}<div class='ts-actions'>{}</div>", say("labeling.made", language), links, train)
    )
