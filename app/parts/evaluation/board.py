"""What was evaluated: the jobs, newest first, and the value of each model on each suite."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from markupsafe import Markup

from app.i18n import phrases
from app.parts.html import NOTHING, ago, badge, empty, html, join, table
from studio_core.base.studio import Studio
from studio_core.base.tables import Evaluation
from studio_core.evaluation import browsing, loading, results
from studio_core.evaluation.sentences import figure
from studio_core.labeling import arena
from studio_core.models.checkpoints import step_of
from studio_core.runs import queue
from studio_core.statistics.winrate import wilson

# As many as a person remembers; the Runs page has all.
LISTED = 30


def jobs(studio: Studio, language: str) -> Markup:
    phrase = phrases("evaluation.", language)
    listed = queue.all_jobs(studio, kind="evaluate", limit=LISTED)
    title = html("<h2>{}</h2>", phrase("past"))
    if not listed:
        return html("{}{}", title, empty(phrase("none_yet")))
    rows = [
        [
            html('<a href="/evaluate?job={}">{}</a>', job.id, job.name),
            ", ".join(job.spec["models"]),
            ", ".join(
                browsing.title(each["name"] or each["dataset"], language) for each in job.spec["suites"]
            ),
            ago(job.submitted_at, language),
            badge(job.state, language, job.cause),
        ]
        for job in listed
    ]
    heads = [phrase(f"col_{name}") for name in ("evaluation", "models", "suites", "when", "state")]
    return html("{}{}", title, table(heads, rows))


def board(studio: Studio, language: str) -> Markup:
    """Models by rows, suites by columns, and what people say in the arena; nothing before there is a value."""
    best = _best(
        row for row in results.newest(studio) if row.value is not None and step_of(row.model) is None
    )
    if not best:
        return Markup()
    phrase = phrases("evaluation.", language)
    # What most models have first: a wide table shows its left part.
    suites = [suite for suite, _ in Counter(suite for _, suite in best).most_common()]
    models = _placed(list(dict.fromkeys(model for model, _ in best)), suites, best)
    ratings = _ratings(studio, models)
    heads = [phrase("col_model"), *(browsing.title(suite, language) for suite in suites)]
    body = [
        [html("<strong>{}</strong>", model), *(_cell(best.get((model, suite))) for suite in suites)]
        for model in models
    ]
    if ratings:
        heads.append(phrase("col_arena"))
        for model, row in zip(models, body, strict=True):
            row.append(ratings.get(model, NOTHING))
    title = html('<h2>{}</h2><p class="ts-muted">{}</p>', phrase("board"), phrase("board_help"))
    return html('{}<div class="ts-board">{}</div>', title, table(heads, body))


Best = dict[tuple[str, str], Evaluation]


def _best(rows: Iterable[Evaluation]) -> Best:
    """Of each model and suite the one with the most items, of equally many the newest."""
    best: Best = {}
    for row in sorted(rows, key=lambda row: (row.figures["items"], row.id)):
        best[row.model, row.suite] = row
    return best


def _placed(models: list[str], suites: list[str], best: Best) -> list[str]:
    """By their mean over the suites of right answers that all of them have; where there is none, as they are."""
    shared = [
        suite
        for suite in suites
        if all((model, suite) in best and _is_share(best[model, suite]) for model in models)
    ]
    if not shared:
        return models
    return sorted(models, key=lambda model: -math.fsum(best[model, suite].value or 0.0 for suite in shared))


def _ratings(studio: Studio, models: list[str]) -> dict[str, str]:
    """What people's blind votes say of them; empty before three models have votes."""
    return {
        standing.model: f"{standing.rating:.0f}"
        for standing in arena.arena(studio).standings
        if standing.rating is not None and standing.model in models
    }


def _unit(row: Evaluation) -> str:
    return str(row.figures.get("unit", "share"))


def _is_share(row: Evaluation) -> bool:
    """Of right answers; a rate of wins beside some baseline is none."""
    return _unit(row) == "share" and "judged" not in row.figures


def _cell(row: Evaluation | None) -> Markup | str:
    if row is None or row.value is None:
        return NOTHING
    unit = _unit(row)
    value = html('<a href="/evaluate?job={}"><strong>{}</strong></a>', row.job_id, figure(row.value, unit))
    items = row.figures["items"] - row.figures["without_value"]
    reached = loading.reached_of(row)
    if unit != "share" and not reached:
        return html('{} <small class="ts-muted">n = {}</small>', value, items)
    low, high = (
        figure(end, unit) for end in ((reached.low, reached.high) if reached else wilson(row.value, items))
    )
    return join((value, html('<small class="ts-muted">{} – {} · n = {}</small>', low, high, items)), " ")
