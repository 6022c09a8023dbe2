"""How the loop looks: where it stands, what came of each round, and the line of the rounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from app.i18n import say
from app.parts.html import html, join, notice, number, table
from app.parts.intervals import Line, Point, lines
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Job, LabelProject
from studio_core.labeling import outcomes, progress, projects, rounds, trained
from studio_core.labeling.outcomes import AGAINST, Result
from studio_core.labeling.rounds import Comparison, Step
from studio_core.methods import METHODS

STEPS = ("label", "train", "compare", "judge")
_PART_OF = {"wait": "train", "prompts": "compare", "alike": "train"}

MORE = """
element.addEventListener('click', (event) => {
	const button = event.target.closest('[data-round]');
	if (button) trigger('more', { round: Number(button.dataset.round) });
});
"""
"""Script of a panel that has buttons for further prompts of a round."""


def _said(language: str) -> Any:
    """The sentences of this area in one language."""

    def said(key: str, **values: Any) -> str:
        return say(f"labeling.round_{key}", language, **values)

    return said


def step(studio: Studio, project: LabelProject, found: Step, language: str) -> Markup:
    """The four steps of the loop with the present one marked, and what to do now."""

    said = _said(language)

    present = _PART_OF.get(found.name, found.name)
    steps = join(
        html(
            "<li{}><span>{}</span></li>",
            Markup(' aria-current="step"') if name == present else "",
            said(f"step_{name}"),
        )
        for name in STEPS
    )
    return html(
        '<div class="ts-card ts-rounds-step"><ol>{}</ol><p>{}</p></div>',
        steps,
        _advice(studio, project, found, language),
    )


def _advice(studio: Studio, project: LabelProject, found: Step, language: str) -> Markup:
    said = _said(language)
    if found.name == "train":
        model = rounds.model_to_train(studio, project)
        return html("{}", said("do_train_from", model=model.name) if model else said("do_train"))
    if found.name == "compare" and found.job is not None:
        left = rounds.left(studio, project)
        return html("{}", said("do_compare", run=found.job.id, name=found.job.name, left=number(left)))
    if found.name == "alike" and found.round is not None:
        result = outcomes.result(studio, found.round)
        return html("{} {}", outcomes.told(result, language), _ways_on(studio, result, said))
    if found.name == "wait" and found.job is not None:
        link = html('<a href="/runs?run={}">{}</a>', found.job.id, said("to_run"))
        return html("{} {}", said("do_wait", run=found.job.id, name=found.job.name), link)
    if found.name == "judge" and found.round is not None:
        link = html('<a href="/label?project={}">{}</a>', found.round.id, said("to_judge"))
        return html("{} {}", said("do_judge", name=found.round.name), link)
    if found.name == "prompts":
        return html("{} {}", said("do_prompts"), _add_prompts(project, said))
    how = progress.of(studio, project)
    done = {"done": number(how["done"]), "items": number(how["items"])}
    words = said("do_label_on", **done) if how["done"] < how["items"] else said("do_label")
    return html('{} <a href="/label?project={}">{}</a>', words, project.id, said("to_judge"))


def of_round(root: LabelProject, language: str) -> Markup:
    """Shown at a round itself: which project it belongs to."""
    link = html('<a href="/label?project={}&amp;section=rounds">{}</a>', root.id, root.name)
    return notice("info", html("{} {}", say("labeling.round_belongs", language), link))


def _add_prompts(root: LabelProject, said: Any) -> Markup:
    """The way to further prompts of a project, a share of which is held out; none where no model writes its answers."""
    if root.job_id is None:
        return Markup()
    return html(
        '<a class="ts-button" href="/label?project={}&amp;section=prompts">{}</a>',
        root.id,
        said("add_prompts"),
    )


def _ways_on(studio: Studio, found: Result, said: Any) -> Markup:
    """After two models that answer alike: further prompts, or the same training for longer."""
    round = found.round.round
    asked = rounds.comparison(studio, round["project"], round["job"], round["against"])
    more = (
        _more(found, said)
        if rounds.prompts_left(studio, asked, found.round)
        else _add_prompts(asked.project, said)
    )
    longer = '<a class="ts-button ts-button-primary" href="/train?longer={}">{}</a>'
    return html('<span class="ts-row">{} {}</span>', html(longer, round["job"], said("train_longer")), more)


def _more(found: Result, said: Any) -> Markup:
    return html(
        '<button type="button" class="ts-button" data-round="{}">{}</button>',
        found.round.id,
        said("more_prompts"),
    )


def alike(studio: Studio, round: LabelProject, language: str) -> Markup:
    """Above a round whose answers are written: that there is little to judge, and what to do; else nothing."""
    found = outcomes.result(studio, round)
    if not found.alike:
        return Markup()
    ways = _ways_on(studio, found, _said(language))
    return html(
        '<div id="label-alike" data-items="{}">{}</div>',
        found.items,
        notice("warn", html("{}{}", outcomes.told(found, language), ways)),
    )


def outlook(studio: Studio, asked: Comparison, limit: int, language: str) -> Markup:
    """Before a comparison: how many prompts are held out for it, and how many pairs that makes."""
    said, left = _said(language), rounds.prompts_left(studio, asked)
    if not left:
        return html(
            '<span class="ts-muted">{}</span> {}', said("no_prompts_left"), _add_prompts(asked.project, said)
        )
    pairs = number(max(0, min(left, limit)))
    return html('<span class="ts-muted">{}</span>', said("outlook", prompts=number(left), pairs=pairs))


def results(studio: Studio, found: Sequence[Result], language: str) -> Markup:
    """The chart and the table of all rounds."""

    said = _said(language)

    if not found:
        return Markup()
    newest = found[-1].number
    heads = [said(f"col_{name}") for name in ("number", "compared", "outcome", "next")]
    rows = [
        [
            number(one.number),
            _compared(one, said),
            _outcome(one, said, language),
            _next(studio, one, said, newest),
        ]
        for one in found
    ]
    drawn = chart(found, language)
    return html(
        '<section class="ts-stack ts-rounds"><h2>{}</h2>{}{}</section>',
        said("title"),
        html('<div class="ts-card">{}</div>', drawn) if drawn else "",
        table(heads, rows),
    )


def sources(studio: Studio, project: LabelProject, language: str) -> Markup:
    """Which of the sources that wrote the answers is preferred."""
    found = outcomes.of_sources(studio, project)
    if not found:
        return Markup()
    heads = [say(f"labeling.arena_col_{name}", language) for name in ("one", "other", "direct")]
    rows = [[one, other, outcomes.sentence(one, rate, language)] for one, other, rate in found]
    return html(
        '<section class="ts-stack ts-rounds"><h2>{}</h2>{}</section>',
        say("labeling.round_sources", language),
        table(heads, rows),
    )


def _compared(one: Result, said: Any) -> Markup:
    return html(
        '<strong>{}</strong><br><span class="ts-muted">{}</span>',
        one.after,
        said(f"before_{one.round.round['against']}", before=one.before),
    )


def _outcome(one: Result, said: Any, language: str) -> Markup:
    kind = {"better": "good", "worse": "bad"}.get(one.found.outcome, "open")
    notes = [
        said(f"note_{name}", n=number(count))
        for name in ("waiting", "skipped", "disagreement", "identical")
        if (count := getattr(one, name)) and not (one.alike and name == "identical")
    ]
    if one.found.separable and not one.found.at_any_look:
        notes.append(said("note_looks"))
    return html(
        '<span class="ts-rounds-{}">{}</span><br><span class="ts-muted">{}</span>',
        kind,
        outcomes.told(one, language),
        " · ".join(notes),
    )


def _next(studio: Studio, one: Result, said: Any, newest: int) -> Markup:
    if one.alike and not one.waiting and one.number == newest:
        return _ways_on(studio, one, said)
    if one.waiting or not one.found.judged:
        return html('<a class="ts-button" href="/label?project={}">{}</a>', one.round.id, said("to_judge"))
    link = html('<a href="/label?project={}&amp;section=results">{}</a>', one.round.id, said("to_votes"))
    if one.found.outcome != "open" or one.number < newest:
        return link
    return html("{} {}", _more(one, said), link)


def of_run(studio: Studio, job: Job, language: str) -> Markup:
    """On the page of a training on votes: what came of its comparisons, or the button that starts one."""
    project = trained.project_of(studio, job)
    if project is None:
        return Markup()
    found = [one for one in outcomes.results(studio, project) if one.round.round["job"] == job.id]
    if not found:
        asked = rounds.comparison(studio, project.id, job)
        button = html(
            '<button type="button" class="ts-button ts-button-primary" data-compare="1" id="run-compare-blind">{}'
            "</button>",
            say("labeling.round_on_run", language),
        )
        left = rounds.prompts_left(studio, asked)
        return html("{} {}", button if left else Markup(), outlook(studio, asked, rounds.LIMIT, language))
    return join(
        html(
            '<a class="ts-button ts-button-primary" href="/label?project={}">{}</a> <span>{}</span>',
            one.round.id,
            say("labeling.round_to_judge" if one.waiting else "labeling.round_to_votes", language),
            outcomes.told(one, language),
        )
        for one in found
    )


def chart(found: Sequence[Result], language: str) -> Markup:
    """Win rate by round: one line against the round before, one against the base."""
    judged = [one for one in found if one.found.judged]
    if not judged:
        return Markup()
    numbers = sorted({one.number for one in judged})
    drawn = []
    for against in AGAINST:
        points = [
            Point(
                numbers.index(one.number),
                one.found.rate,
                one.found.low,
                one.found.high,
                outcomes.sentence(one.after, one.found, language),
            )
            for one in judged
            if against in one.against
        ]
        drawn.append(Line(say(f"labeling.round_line_{against}", language), points))
    return lines(
        [line for line in drawn if line.points],
        [say("labeling.round_numbered", language, number=one) for one in numbers],
        say("labeling.round_half", language),
        say("labeling.round_chart", language),
    )


def made_for_later(dataset: Dataset, language: str) -> Markup:
    """Votes from which no method here learns yet: the dataset is there all the same."""
    link = html('<a href="/dataset?id={}">{}@{}</a>', dataset.id, dataset.name, dataset.version)
    return notice("info", html("{} {}", link, say("labeling.round_no_method", language)))


def train_address(studio: Studio, project: LabelProject, dataset: Dataset, method: str) -> str:
    """The Train page, filled in: the votes, the method that learns from them, the model that wrote the answers."""
    root = projects.root(studio, project)
    asked = {"dataset": f"{dataset.name}@{dataset.version}", "method": method}
    model = rounds.model_to_train(studio, root)
    if model is not None:
        asked["model"] = model.name
        run = next((job for job in trained.runs_of(studio, root) if job.id == model.job_id), None)
        if run is not None and run.spec["tuning"] in METHODS[method].tunings:
            asked["tuning"] = run.spec["tuning"]  # As in the round before.
    return f"/train?{urlencode(asked, safe='@')}"
