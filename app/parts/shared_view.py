"""One run as a link shows it: what may be known of it outside, and nothing that leads further into the studio."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from markupsafe import Markup

from app.i18n import say
from app.parts import run_view, run_words
from app.parts.html import badge, html, join, notice
from app.parts.live_chart import payload
from studio_core import training
from studio_core.base import clock
from studio_core.base.states import LIVE, TERMINAL, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job, RunLink
from studio_core.runs import metrics


def shown(studio: Studio, link: RunLink, job: Job, language: str) -> Markup:
    """State, progress, warnings, facts; the answers if the link has them. Charts are drawn from ``charts_of``."""
    return html(
        '<div class="ts-row ts-run-title"><h1>{} · {}</h1>{}</div>{}{}<div id="run-progress">{}</div>{}',
        job.id,
        job.name,
        badge(job.state, language, job.cause),
        notice(_kind(job), _sentence(studio, job, language)),
        _warnings(studio, job, language),
        run_view.progress(studio, job, language),
        _facts(job, language),
    )


def answers(studio: Studio, link: RunLink, job: Job, language: str) -> Markup:
    return run_view.answers(studio, job, language) if link.answers else Markup()


def charts_of(studio: Studio, job: Job, language: str) -> str:
    """What ``static/js/shared.js`` draws, as JSON."""
    lines = training.outlined(studio, job).lines
    return payload(run_view.charts(job), lines, language, reset=True, ended=job.state in TERMINAL)


def over(job: Job) -> bool:
    return job.state in TERMINAL


def _kind(job: Job) -> Any:
    return {State.FAILED: "bad", State.INTERRUPTED: "warn", State.SUCCEEDED: "good"}.get(
        State(job.state), "info"
    )


def _sentence(studio: Studio, job: Job, language: str) -> str:
    """What the state means. Why a run failed may quote paths, data or code: that is told in the studio only."""
    if job.state in LIVE:
        return run_words.sentence(studio, job, {}, language)
    if job.state == State.SUCCEEDED and job.cause is None:
        return say(f"runs.finished_{job.kind}", language)
    return say(f"notices.shared_{job.state}", language)


def _warnings(studio: Studio, job: Job, language: str) -> Markup:
    """Those that quote figures only."""
    told = metrics.warnings(studio, [job]).get(job.id, [])
    plain = [body for body in told if all(_is_figure(value) for value in (body.get("values") or {}).values())]
    return join(notice("warn", metrics.sentence(body, language)) for body in plain)


def _is_figure(value: Any) -> bool:
    if isinstance(value, str):
        return value.replace(".", "", 1).isdecimal()
    return isinstance(value, int | float)


def _facts(job: Job, language: str) -> Markup:
    spec = job.spec
    times = [("submitted", job.submitted_at), ("started", job.started_at), ("ended", job.finished_at)]
    facts = [
        (
            say("runs.method", language),
            f"{(job.method or '').upper()} · {run_words.tuning_title(job, language)}",
        ),
        (say("runs.model", language), str(spec.get("model", ""))),
        (say("runs.dataset", language), str(spec.get("dataset", ""))),
        *((say(f"notices.shared_{name}_at", language), _moment(at)) for name, at in times if at),
    ]
    pairs = join(html("<div><dt>{}</dt><dd>{}</dd></div>", name, value) for name, value in facts)
    return html('<dl class="ts-facts">{}</dl>', pairs)


def _moment(at: Any) -> Markup:
    # Whoever looks may be in another time zone: the script writes it in theirs.
    moment = at.replace(tzinfo=UTC)
    return html('<time datetime="{}">{:%Y-%m-%d %H:%M} UTC</time>', clock.iso(at), moment)
