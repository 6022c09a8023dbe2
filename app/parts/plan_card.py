"""The card that says, before the click, what a training will do and what stands in its way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from markupsafe import Markup

from app.i18n import say
from app.parts.html import duration, html, join, notice, number, size, stat
from studio_core import training
from studio_core.base.errors import StudioError
from studio_core.training import Plan


def card(plan: Plan, language: str) -> Markup:
    """Ready or not, the figures, what is worth knowing, and what must be changed first."""
    return _card(
        _state(plan),
        _figures(plan, language),
        [problem.sentence(language) for problem in plan.problems],
        [warning.sentence(language) for warning in plan.warnings],
        _changes(plan, language),
        language,
    )


def refused(error: StudioError, language: str) -> Markup:
    """The card of a form that does not even make a training."""
    return _card("not_ready", Markup(), [error.sentence(language)], [], Markup(), language)


_STATES = {"ready": "good", "doubtful": "warn", "not_ready": "bad"}


def _state(plan: Plan) -> str:
    return "doubtful" if plan.doubtful else "ready" if plan.ready else "not_ready"


def _card(
    kind: str, figures: Markup, problems: list[str], warnings: list[str], changes: Markup, language: str
) -> Markup:
    state = html(
        '<span class="ts-badge ts-badge-{}" data-ready="{}">{}</span>',
        _STATES[kind],
        str(kind != "not_ready").lower(),
        say(f"train.{kind}", language),
    )
    return html(
        '<section class="ts-card ts-plan" aria-live="polite"><div class="ts-row"><h2>{}</h2>{}</div>'
        "{}{}{}{}</section>",
        say("train.plan", language),
        state,
        _notices("bad", problems),
        figures,
        _notices("warn", warnings),
        changes,
    )


def _notices(kind: str, sentences: Iterable[str]) -> Markup:
    return join(notice("bad" if kind == "bad" else "warn", sentence) for sentence in sentences)


def _figures(plan: Plan, language: str) -> Markup:
    options = plan.options
    if options is None or plan.dataset is None:
        return Markup()
    gpus = plan.spec.gpus
    batch = say(
        "train.batch_note" if gpus == 1 else "train.batch_note_gpus",
        language,
        batch=options.batch_size,
        accumulation=options.gradient_accumulation,
        gpus=gpus,
    )
    stats = [stat(say("train.effective_batch", language), number(plan.effective_batch), batch)]
    if plan.steps:
        rows = say("train.rows_note", language, rows=number(plan.rows))
        if plan.replayed:
            rows = say(
                "train.rows_note_replay", language, rows=number(plan.rows), replayed=number(plan.replayed)
            )
        stats.append(stat(say("train.steps", language), number(plan.steps), rows))
    if plan.lengths is not None:
        about = say("train.sampled", language) if plan.lengths.sampled else ""
        longest = say("train.longest_note", language, longest=number(plan.lengths.longest))
        lost = "train.cut" if plan.method is None or plan.method.writes else "train.left_out"
        stats += [
            stat(say("train.tokens", language), number(plan.tokens), about),
            stat(say(lost, language), f"{plan.cut_share:.1%}", longest),
        ]
    if plan.memory is not None:
        total = say("train.of_total", language, total=size(plan.memory_total)) if plan.memory_total else ""
        stats.append(stat(say("train.memory", language), _about(size(plan.memory.total), language), total))
    if plan.seconds is not None:
        basis = say("train.time_learned" if plan.learned else "train.time_assumed", language)
        stats.append(
            stat(say("train.time", language), _about(duration(plan.seconds, language), language), basis)
        )
    device = say(f"train.device_{plan.device}", language)
    if gpus > 1:
        device = say("train.device_gpus", language, gpus=gpus, parallel=plan.spec.parallel)
    stats.append(stat(say("train.device", language), device))
    return html(
        '<div class="ts-plan-figures">{}</div>{}{}',
        join(stats),
        _memory(plan, language),
        _end(plan, language),
    )


def _memory(plan: Plan, language: str) -> Markup:
    """What each model takes, by what it holds; folded, since the sum is what decides."""
    if plan.memory is None:
        return Markup()
    lines = []
    for role, share in plan.memory.roles.items():
        parts = [
            f"{say(f'train.memory_part.{part}', language)} {size(amount)}"
            for part, amount in vars(share).items()
            if amount
        ]
        if parts:
            lines.append((say(f"train.role.models.{role}", language), " · ".join(parts)))
    lines.append((say("train.memory_part.runtime", language), size(plan.memory.runtime)))
    shown = join(html("<li>{}{}{}</li>", name, say("train.colon", language), parts) for name, parts in lines)
    return html(
        "<details><summary>{}</summary><ul>{}</ul></details>", say("train.memory_parts", language), shown
    )


def _end(plan: Plan, language: str) -> Markup:
    """Which end of an answer is learnt."""
    if plan.end is None or not plan.end.learnt:
        return Markup()
    end = " ".join(plan.end.learnt.split())[:40]
    return html('<p class="ts-muted">{}</p>', say("train.learns_end", language, end=end))


def _about(value: str, language: str) -> str:
    return say("train.about", language, value=value)


def _changes(plan: Plan, language: str) -> Markup:
    """What differs from the preset, and the same training as a command."""
    usual, titles = _preset(plan), _titles(plan, language)
    lines = [
        html(
            "<li>{}{}{} <span class='ts-muted'>({})</span></li>",
            titles.get(name, name),
            say("train.colon", language),
            value,
            _was(usual, name, language),
        )
        for name, value in sorted(plan.spec.options.items())
    ]
    changed = html("<p>{}</p><ul>{}</ul>", say("train.changed", language), join(lines)) if lines else Markup()
    if not plan.ready:
        return changed
    return html(
        '{}<details class="ts-command"><summary>{}</summary><pre class="ts-mono">{}</pre></details>',
        changed,
        say("train.as_command", language),
        training.to_command(plan.spec),
    )


def _preset(plan: Plan) -> dict[str, Any]:
    if plan.method is None or plan.model is None:
        return {}
    plain = plan.spec.model_copy(update={"options": {}})
    return training.options_of(plain, plan.method, plan.model.parameters).model_dump()


def _titles(plan: Plan, language: str) -> dict[str, str]:
    """What each option is called in the form."""
    if plan.method is None:
        return {}
    tuning = plan.method.tunings.get(plan.spec.tuning)
    fields = [*plan.method.fields, *(tuning.fields if tuning else [])]
    return {field.name: say(field.title_key, language) for field in fields}


def _was(usual: dict[str, Any], name: str, language: str) -> str:
    return say("train.preset_value", language, value=usual.get(name))
