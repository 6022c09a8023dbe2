"""How a run looks on its own page, section by section; its line in the list is in ``run_list``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from app.i18n import say
from app.parts import run_words
from app.parts.html import NOTHING, ago, badge, html, join, notice, number, size, table
from app.parts.labeling import rounds_view
from studio_core import handover, methods, training
from studio_core.base.states import TERMINAL, Cause, State, Stop
from studio_core.base.studio import Studio
from studio_core.base.tables import Job, JobEvent, Model
from studio_core.evaluation import retention
from studio_core.handover import taking
from studio_core.methods import METHODS
from studio_core.methods.base import Chart
from studio_core.models import checkpoints as kept_checkpoints
from studio_core.models import registry
from studio_core.runs import metrics, run_folder
from studio_core.runs.reasons import waiting_reasons
from studio_core.training import sweeps


def charts(job: Job) -> Sequence[Chart]:
    """What is plotted while it runs."""
    method = METHODS.get(job.method or "")
    if method is None:  # A run of a method that is gone is still looked at: a loss it had.
        return (Chart("loss", ("loss", "eval_loss")),)
    own = method.charts_of(job.spec.get("run", {}).get("options", {}), job.spec.get("data", {}))
    return (*own, *_further(job, own)) if taking.elsewhere(job) else own


def _further(job: Job, own: Sequence[Chart]) -> Sequence[Chart]:
    """What another trainer reported beside: one chart each, since nothing is known of their axes."""
    drawn = {metric for chart in own for metric in chart.metrics} | set(metrics.PROGRESS)
    return [Chart(name, (name,)) for name in sorted(job.latest) if name not in drawn]


def result_mark(studio: Studio, job: Job) -> str:
    """Changes when there is a result to show, or news of what it still knows."""
    result, evaluation = registry.result_of(studio, job.id), retention.of_run(studio, job)
    return f"{result.id if result else ''} {evaluation.state if evaluation else ''}"


def header(studio: Studio, job: Job, language: str) -> Markup:
    """Name, state with its sentence, what it trains, and where its result is."""
    spec = job.spec
    facts: list[tuple[str, Markup | str]] = [
        (
            say("runs.method", language),
            f"{(job.method or '').upper()} · {run_words.tuning_title(job, language)}",
        ),
        (say("runs.model", language), spec["model"]),
        (say("runs.dataset", language), spec["dataset"]),
        (say("runs.device", language), _device(job)),
    ]
    if there := taking.elsewhere(job):
        by = say(
            "handover.by_whom", language, trainer=handover.named(there.trainer).title, version=there.version
        )
        facts[-1] = (say("handover.by", language), html('{0} <a href="/runs?run={1}">{1}</a>', by, there.run))
    result = registry.result_of(studio, job.id)
    made = (
        html(
            say("runs.made", language),
            html('<a href="/models?model={}">{}</a>', quote(result.name, safe=""), result.name),
        )
        if result
        else ""
    )
    if evaluation := retention.of_run(studio, job):
        verdict = retention.verdict(studio, evaluation, language)
        told = verdict or badge(evaluation.state, language, evaluation.cause)
        link = html('<a href="/runs?run={}">{}</a>', evaluation.id, say("evaluation.retention", language))
        made = html("{} {}: {}", made, link, told)
    return titled(studio, job, facts, made, language)


def titled(
    studio: Studio, job: Job, facts: list[tuple[str, Markup | str]], made: Markup | str, language: str
) -> Markup:
    """The head of a run's page: name, state and its sentence with what was ``made``, and ``facts``."""
    facts = [*facts, (say("runs.submitted", language), ago(job.submitted_at, language))]
    if job.peak_memory:
        facts.append((say("runs.peak_memory", language), size(job.peak_memory)))
    if job.resumes_id:
        link = html('<a href="/runs?run={0}">{0}</a>', job.resumes_id)
        notes = join(
            html(
                '<br><span class="ts-muted">{}</span>', say("runs.passed_over", language, **vars(checkpoint))
            )
            for checkpoint in training.passed_over(studio, job)
        )
        facts.append((say("runs.goes_on_from", language), link + notes))
    if job.after_id:
        link = html('<a href="/runs?run={0}">{0}</a>', job.after_id)
        facts.append((say("runs.starts_after", language), link))
    if sweep := sweeps.sweep_of(job):
        facts.append((say("sweeps.of_sweep", language), html('<a href="/runs?sweep={0}">{0}</a>', sweep)))
    for later in training.resumed_by(studio, job.id):
        facts.append((say("runs.resumed_by", language), html('<a href="/runs?run={0}">{0}</a>', later.id)))
    listed = join(html("<div><dt>{}</dt><dd>{}</dd></div>", name, value) for name, value in facts)
    return html(
        '<div class="ts-row"><a class="ts-muted" href="/runs">{}</a></div>'
        '<div class="ts-row ts-run-title"><h1>{} · {}</h1>{}</div>{}<dl class="ts-facts">{}</dl>',
        say("runs.all", language),
        job.id,
        job.name,
        badge(job.state, language, job.cause),
        _advice(studio, job, made, language),
        listed,
    )


def _advice(studio: Studio, job: Job, made: Markup | str, language: str) -> Markup:
    text: Markup | str = run_words.sentence(studio, job, waiting_reasons(studio, [job], language), language)
    if made:
        text = html("{} {}", text, made)
    kinds = {State.FAILED: "bad", State.INTERRUPTED: "warn", State.SUCCEEDED: "good"}
    kind: Any = "warn" if job.cause == Cause.STOPPED else kinds.get(State(job.state), "info")
    warnings = [note.body for note in metrics.notes(studio, job.id, "notice")]
    notices = join(_notice(body, language) for body in warnings)
    return html("{}{}", notice(kind, text), notices)


def _notice(body: dict[str, Any], language: str) -> Markup:
    return notice("warn" if body.get("level") == "warning" else "info", metrics.sentence(body, language))


def _device(job: Job) -> str:
    device = str(job.resolved.get("device") or job.spec.get("device", ""))
    precision = job.resolved.get("precision")
    return f"{device} · {precision}" if precision else device


def progress(studio: Studio, job: Job, language: str) -> Markup:
    """The bar with time left and the newest figures."""
    latest = metrics.recent(studio, [job]).get(job.id)
    means = latest.means if latest else {}
    figures = [
        (say(f"methods.metric.{name}", language), number(means[name]))
        for name in (METHODS[job.method].headline if job.method in METHODS else ("loss",))
        if name in means
    ]
    shown = join(html("<span><b>{}</b> {}</span>", value, name) for name, value in figures)
    if latest and figures:
        mean = say(
            "runs.recent_mean_one" if latest.reports == 1 else "runs.recent_mean", language, n=latest.reports
        )
        shown += html('<span class="ts-muted">{}</span>', mean)
    return html(
        '<div class="ts-progress">{}<span class="ts-progress-time">{}</span>{}</div>',
        run_words.bar(job, language),
        run_words.time_of(job, language),
        shown,
    )


def links(studio: Studio, job: Job, language: str) -> Markup:
    """Duplicate, compare with runs, and once there is a result Compare in chat; after votes, compare blind."""
    duplicate = html(
        '<a class="ts-button" id="run-duplicate" href="/train?duplicate={0}">{1}</a>'
        ' <a class="ts-button" id="run-compare-with" href="/runs?compare={0}">{2}</a>'
        ' <a class="ts-button" id="run-sweep" href="/runs?sweep=new&amp;from={0}">{3}</a>'
        ' <a class="ts-button" id="run-handover" href="/runs?handover={0}">{4}</a>',
        job.id,
        say("runs.duplicate", language),
        say("comparison.compare_with", language),
        say("sweeps.from_run", language),
        say("handover.title", language),
    )
    result = registry.result_of(studio, job.id)
    if result is None or not methods.writes(job.method):
        return duplicate
    both = ",".join(quote(name, safe="") for name in (job.spec["model"], result.name))
    blind = rounds_view.of_run(studio, job, language)
    compare = html(
        '<a class="ts-button{}" id="run-compare" href="/chat?models={}">{}</a>',
        "" if blind else " ts-button-primary",
        both,
        say("runs.compare", language),
    )
    return html("{} {} {} {}", blind, compare, _evaluate(studio, job, result, language), duplicate)


def _evaluate(studio: Studio, job: Job, result: Model, language: str) -> Markup:
    """Measure base and result; with several checkpoints also these, to see which is the best."""
    steps = [checkpoint.step for checkpoint in kept_checkpoints.of_model(studio, result)]
    names = {"compare": [job.spec["model"], result.name]}
    if len(steps) > 1:
        names["over_steps"] = [job.spec["model"], *(f"{result.name}@{step}" for step in steps)]
    return join(
        (
            html(
                '<a class="ts-button" id="run-evaluate-{}" href="/evaluate?models={}">{}</a>',
                kind,
                ",".join(quote(name, safe="@") for name in models),
                say("evaluation.start" if kind == "compare" else "evaluation.over_steps", language),
            )
            for kind, models in names.items()
        ),
        " ",
    )


def answers(studio: Studio, job: Job, language: str) -> Markup:
    """Answers to the fixed prompts: before, newest during, after, side by side; none of what only scores."""
    if not methods.writes(job.method):
        return Markup()
    rows = training.answers(studio, job)
    title = html("<h2>{}</h2>", say("runs.answers", language))
    if not rows:
        key = "runs.no_answers_ended" if job.state in TERMINAL else "runs.no_answers_yet"
        return html('{}<p class="ts-muted">{}</p>', title, say(key, language))
    cells = []
    for row in rows:
        by_time: dict[str, Markup] = {}
        for answer in row["answers"]:
            step = say("runs.at_step", language, step=number(answer["step"]))
            by_time[answer["when"]] = html(
                '<div class="ts-answer">{}</div><span class="ts-muted">{}</span>',
                answer["answer"] or NOTHING,
                step,
            )
        times = [by_time.get(when, NOTHING) for when in ("before", "during", "after")]
        cells.append([html('<div class="ts-answer ts-prompt">{}</div>', row["prompt"]), *times])
    heads = [say(f"runs.answer_{name}", language) for name in ("prompt", "before", "during", "after")]
    return html("{}{}", title, table(heads, cells))


def checkpoints(job: Job, language: str) -> Markup:
    """Every checkpoint, complete or torn with the reason; a run that has ended can go on from each."""
    checkpoints_ = run_folder.checkpoints(Path(job.run_dir)) if job.run_dir else []
    title = html("<h2>{}</h2>", say("runs.checkpoints", language))
    if not checkpoints_:
        return html('{}<p class="ts-muted">{}</p>', title, say("runs.no_checkpoints", language))
    rows = []
    for checkpoint in reversed(checkpoints_):
        kind = "good" if checkpoint.complete else "bad"
        words = say("runs.complete" if checkpoint.complete else "runs.torn", language)
        state = html('<span class="ts-badge ts-badge-{}">{}</span> {}', kind, words, checkpoint.problem)
        button = Markup()
        # From the last step there is nothing to go on to.
        if checkpoint.complete and job.state in TERMINAL and checkpoint.step < (job.total_steps or 0):
            button = html(
                '<button type="button" class="ts-button" data-step="{}">{}</button>',
                checkpoint.step,
                say("runs.resume_here", language),
            )
        weight = size(checkpoint.bytes) if checkpoint.complete else NOTHING
        rows.append([number(checkpoint.step), state, weight, button])
    heads = [say(f"runs.checkpoint_{name}", language) for name in ("step", "state", "size", "resume")]
    return html("{}{}", title, table(heads, rows))


def events(history: Sequence[JobEvent], language: str) -> Markup:
    """Every change of state, with its time and cause."""
    lines = [
        html(
            '<li><time class="ts-mono ts-muted">{}</time> {} {}</li>',
            event.at.replace(tzinfo=UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S"),
            badge(event.after, language),
            event.cause or "",
        )
        for event in history
    ]
    return html('<h2>{}</h2><ul class="ts-events">{}</ul>', say("runs.events", language), join(lines))


def log(job: Job, language: str) -> Markup:
    tail = run_folder.log_tail(Path(job.run_dir), 24 * 1024) if job.run_dir else ""
    title = html("<h2>{}</h2>", say("runs.log", language))
    if not tail:
        return html('{}<p class="ts-muted">{}</p>', title, say("runs.no_log", language))
    where = Path(job.run_dir or "") / run_folder.LOG
    return html(
        '{}<pre class="ts-log" tabindex="0">{}</pre><p class="ts-muted ts-mono">{}</p>', title, tail, where
    )


def configuration(job: Job, language: str) -> Markup:
    """The spec as YAML and as a command, to be copied, and all that it was resolved to."""
    spec = training.spec_of(job)
    blocks = join(
        html(
            '<div class="ts-copyable"><div class="ts-row"><h3>{0}</h3><button type="button"'
            ' class="ts-button" data-copy="{1}" data-done="{2}">{3}</button></div>'
            '<pre id="{1}" class="ts-mono">{4}</pre></div>',
            say(f"runs.{name}", language),
            f"run-{name}",
            say("runs.copied", language),
            say("runs.copy", language),
            text,
        )
        for name, text in (("yaml", training.to_yaml(spec)), ("command", training.to_command(spec)))
    )
    options = job.spec.get("run", {}).get("options", {})
    resolved = [*sorted(options.items()), *sorted(job.resolved.items())]
    rows = [[html("<code>{}</code>", name), _value(value)] for name, value in resolved]
    heads = [say("runs.option", language), say("runs.value", language)]
    return html(
        "<h2>{}</h2>{}<details><summary>{}</summary>{}</details>",
        say("runs.configuration", language),
        blocks,
        say("runs.resolved", language),
        table(heads, rows),
    )


def _value(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, dict):
        return ", ".join(f"{name} {inner}" for name, inner in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def stoppable(job: Job) -> bool:
    """Whether Cancel is offered: also to a run that is saving, which it ends at once."""
    return job.state not in TERMINAL and job.stop_request != Stop.CANCEL


def savable(job: Job) -> bool:
    """Whether there is something to save: a run that waits in the queue can only be cancelled."""
    return job.state in (State.STARTING, State.RUNNING) and job.stop_request is None


def resumable(job: Job) -> bool:
    """Whether Resume is worth offering; whether it works is said when it is asked for."""
    if job.state not in TERMINAL:
        return False
    finished = job.state == State.SUCCEEDED and job.total_steps and job.step >= job.total_steps
    return not finished and training.checkpoint_to_resume(job) is not None
