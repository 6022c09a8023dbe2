"""What the rewards of a training say of a few answers, each part by itself."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from app.i18n import say
from app.parts.html import NOTHING, html, join, notice, table
from studio_core import rewards
from studio_core.base.errors import StudioError
from studio_core.training.reward_trial import Example, Part

_MOST = 600
"""Characters of a prompt or an answer; the rest is told by an ellipsis."""


def drawn(
    references: Sequence[Example],
    answers: Sequence[Example] | None,
    language: str,
    problem: StudioError | None = None,
) -> Markup:
    """The records' own answers, and the model's; None: it is writing them, or cannot for that ``problem``."""
    parts = [_section("train.trial_references", references, language)] if references else []
    if answers is not None:
        parts.append(_section("train.trial_answers", answers, language))
    elif problem is not None:
        parts.append(notice("warn", problem.sentence(language)))
    else:
        parts.append(notice("info", say("train.trial_writing", language)))
    return html('<div class="ts-trial" role="status">{}</div>', join(parts))


def _section(title: str, examples: Sequence[Example], language: str) -> Markup:
    names = [part.choice.name for part in next((each.parts for each in examples if each.parts), ())]
    headers = [
        say("train.trial_prompt", language),
        say("train.trial_answer", language),
        *(say(rewards.named(name).title_key, language) for name in names),
        say("train.trial_reward", language),
    ]
    rows = [_row(example, len(names), language) for example in examples]
    return html("<h3>{}</h3>{}", say(title, language), table(headers, rows))


def _row(example: Example, parts: int, language: str) -> list[str | Markup]:
    asked = html('<span class="ts-muted">#{}</span> {}', example.row + 1, _cut(example.prompt))
    if example.error is not None:
        return [asked, example.error.sentence(language), *[NOTHING] * (parts + 1)]
    reward = example.reward
    return [
        asked,
        html(
            '<span class="ts-trial-answer">{}</span>',
            _cut(example.answer) or say("train.trial_empty", language),
        ),
        *(_part(part, language) for part in example.parts),
        NOTHING if reward is None else html("<strong>{}</strong>", f"{reward:.3g}"),
    ]


def _part(part: Part, language: str) -> str | Markup:
    value, weight = part.trial.value, part.choice.weight
    if value is None:
        error = part.trial.error
        reason = error.sentence(language) if isinstance(error, StudioError) else part.trial.reason
        return html('<span class="ts-muted">{}</span>', reason[:200] or say("train.trial_no_say", language))
    return f"{value:.3g}" if weight == 1 else f"{value:.3g} × {weight:g}"


def _cut(text: str) -> str:
    return text if len(text) <= _MOST else text[:_MOST] + " …"
