"""Where a run is logged besides here: on its page, a line for each tracker with what to do."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from app.i18n import say
from app.parts.html import html, join
from studio_core.base.states import TERMINAL
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.runs.kinds import kind_of
from studio_core.trackers import sent, switches

ON_CLICK = """
element.addEventListener('click', (event) => {
	const button = event.target.closest('[data-track]');
	if (button) { button.disabled = true; trigger('track', { tracker: button.dataset.track }); }
});
"""


def mark(job: Job) -> str:
    """Changes when there is news of a tracker."""
    run_dir = Path(job.run_dir or "")
    if not kind_of(job.kind).tracked or not (run_dir / sent.FOLDER).is_dir():
        return job.state
    known = sent.all_of(run_dir)
    news = [
        f"{name}.{one.offset}.{one.state}.{int(sent.is_sending(run_dir, name))}"
        for name, one in known.items()
    ]
    return " ".join([job.state, *news])


def is_sending(job: Job) -> bool:
    """Whether it is being sent to any tracker."""
    run_dir = Path(job.run_dir or "")
    if not kind_of(job.kind).tracked or not (run_dir / sent.FOLDER).is_dir():
        return False
    return any(sent.is_sending(run_dir, name) for name in sent.all_of(run_dir))


def drawn(studio: Studio, job: Job, language: str) -> Markup:
    """Nothing for a run that no tracker has, while none is on."""
    if not kind_of(job.kind).tracked or not job.run_dir:
        return Markup()
    run_dir = Path(job.run_dir)
    known = sent.all_of(run_dir)
    lines = [_line(job, run_dir, name, one, language) for name, one in known.items()]
    if job.state in TERMINAL:
        on = switches.enabled(studio.settings.home / switches.FILE)
        lines += [html("<li>{}</li>", _button(name, "send_to", language)) for name in on if name not in known]
    if not lines:
        return Markup()
    head = say("trackers.run_head", language)
    return html('<h2>{}</h2><ul class="ts-events">{}</ul>', head, join(lines))


def _line(job: Job, run_dir: Path, name: str, one: sent.Sent, language: str) -> Markup:
    sentence = sent.sentence(job.id, run_dir, name, one, language)
    if sent.is_well(run_dir, name, one):
        before, command, after = sentence.partition(one.opened_by or "\0")
        shown = html("<code>{}</code>", command) if command else Markup()
        return html("<li><span>{}{}{}</span></li>", before, shown, after)
    # What its own program sends has nothing left to be sent from here.
    again = _button(name, "send_rest", language) if one.state != "sent" else Markup()
    idle = Markup() if sent.is_sending(run_dir, name) else again
    return html('<li><span class="ts-notice ts-notice-warn">{}</span>{}</li>', sentence, idle)


def _button(name: str, key: str, language: str) -> Markup:
    title = say(f"trackers.{name}", language)
    return html(
        '<button type="button" class="ts-button" data-track="{}">{}</button>',
        name,
        say(f"trackers.{key}", language, title=title),
    )
