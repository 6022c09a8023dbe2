"""How the loop looks: where it stands, what came of each round, and the line of the rounds."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from markupsafe import Markup

from app.i18n import Phrase, phrases, say
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


def step(studio: Studio, project: LabelProject, step_: Step, language: str) -> Markup:
    """The four steps of the loop with the present one marked, and what to do now."""

    phrase = phrases("labeling.round_", language)

    present = _PART_OF.get(step_.name, step_.name)
    steps = join(
        html(
            "<li{}><span>{}</span></li>",
            Markup(' aria-current="step"') if name == present else "",
            phrase(f"step_{name}"),
        )
        for name in STEPS
    )
    return html(
        '<div class="ts-card ts-rounds-step"><ol>{}</ol><p>{}</p></div>',
        steps,
        _advice(studio, project, step_, language),
    )


def _advice(studio: Studio, project: LabelProject, step_: Step, language: str) -> Markup:
    phrase = phrases("labeling.round_", language)
    if step_.name == "train":
        model = rounds.model_to_train(studio, project)
        return html("{}", phrase("do_train_from", model=model.name) if model else phrase("do_train"))
    if step_.name == "compare" and step_.job is not None:
        left = rounds.left(studio, project)
        return html("{}", phrase("do_compare", run=step_.job.id, name=step_.job.name, left=number(left)))
    if step_.name == "alike" and step_.round is not None:
        result = outcomes.result(studio, step_.round)
        return html("{} {}", outcomes.describe(result, language), _ways_on(studio, result, phrase))
    if step_.name == "wait" and step_.job is not None:
        link = html('<a href="/runs?run={}">{}</a>', step_.job.id, phrase("to_run"))
        return html("{} {}", phrase("do_wait", run=step_.job.id, name=step_.job.name), link)
    if step_.name == "judge" and step_.round is not None:
        link = html('<a href="/label?project={}">{}</a>', step_.round.id, phrase("to_judge"))
        return html("{} {}", phrase("do_judge", name=step_.round.name), link)
    if step_.name == "prompts":
        return html("{} {}", phrase("do_prompts"), _add_prompts(project, phrase))
    how = progress.of(studio, project)
    counts = {"done": number(how["done"]), "items": number(how["items"])}
    words = phrase("do_label_on", **counts) if how["done"] < how["items"] else phrase("do_label")
    return html('{} <a href="/label?project={}">{}</a>', words, project.id, phrase("to_judge"))


def of_round(root: LabelProject, language: str) -> Markup:
    """Shown at a round itself: which project it belongs to."""
    link = html('<a href="/label?project={}&amp;section=rounds">{}</a>', root.id, root.name)
    return notice("info", html("{} {}", say("labeling.round_belongs", language), link))


def _add_prompts(root: LabelProject, phrase: Phrase) -> Markup:
    """The way to further prompts of a project, a share of which is held out; none where no model writes its answers."""
    if root.job_id is None:
        return Markup()
    return html(
        '<a class="ts-button" href="/label?project={}&amp;section=prompts">{}</a>',
        root.id,
        phrase("add_prompts"),
    )


def _ways_on(studio: Studio, result: Result, phrase: Phrase) -> Markup:
    """After two models that answer alike: further prompts, or the same training for longer."""
    round = result.round.round
    asked = rounds.comparison(studio, round["project"], round["job"], round["against"])
    more = (
        _more(result, phrase)
        if rounds.prompts_left(studio, asked, result.round)
        else _add_prompts(asked.project, phrase)
    )
    longer = '<a class="ts-button ts-button-primary" href="/train?longer={}">{}</a>'
    return html('<span class="ts-row">{} {}</span>', html(longer, round["job"], phrase("train_longer")), more)


def _more(result: Result, phrase: Phrase) -> Markup:
    return html(
        '<button type="button" class="ts-button" data-round="{}">{}</button>',
        result.round.id,
        phrase("more_prompts"),
    )


def alike(studio: Studio, round: LabelProject, language: str) -> Markup:
    """Above a round whose answers are written: that there is little to judge, and what to do; else nothing."""
    result = outcomes.result(studio, round)
    if not result.alike:
        return Markup()
    ways = _ways_on(studio, result, phrases("labeling.round_", language))
    return html(
        '<div id="label-alike" data-items="{}">{}</div>',
        result.items,
        notice("warn", html("{}{}", outcomes.describe(result, language), ways)),
    )


def outlook(studio: Studio, asked: Comparison, limit: int, language: str) -> Markup:
    """Before a comparison: how many prompts are held out for it, and how many pairs that makes."""
    phrase, left = phrases("labeling.round_", language), rounds.prompts_left(studio, asked)
    if not left:
        return html(
            '<span class="ts-muted">{}</span> {}',
            phrase("no_prompts_left"),
            _add_prompts(asked.project, phrase),
        )
    pairs = number(max(0, min(left, limit)))
    return html('<span class="ts-muted">{}</span>', phrase("outlook", prompts=number(left), pairs=pairs))


def results(studio: Studio, all_results: Sequence[Result], language: str) -> Markup:
    """The chart and the table of all rounds."""

    phrase = phrases("labeling.round_", language)

    if not all_results:
        return Markup()
    newest = all_results[-1].number
    heads = [phrase(f"col_{name}") for name in ("number", "compared", "outcome", "next")]
    rows = [
        [
            number(result.number),
            _compared(result, phrase),
            _outcome(result, phrase, language),
            _next(studio, result, phrase, newest),
        ]
        for result in all_results
    ]
    drawn = chart(all_results, language)
    return html(
        '<section class="ts-stack ts-rounds"><h2>{}</h2>{}{}</section>',
        phrase("title"),
        html('<div class="ts-card">{}</div>', drawn) if drawn else "",
        table(heads, rows),
    )


def sources(studio: Studio, project: LabelProject, language: str) -> Markup:
    """Which of the sources that wrote the answers is preferred."""
    rates = outcomes.of_sources(studio, project)
    if not rates:
        return Markup()
    heads = [say(f"labeling.arena_col_{name}", language) for name in ("one", "other", "direct")]
    rows = [[source, other, outcomes.sentence(source, rate, language)] for source, other, rate in rates]
    return html(
        '<section class="ts-stack ts-rounds"><h2>{}</h2>{}</section>',
        say("labeling.round_sources", language),
        table(heads, rows),
    )


def _compared(result: Result, phrase: Phrase) -> Markup:
    return html(
        '<strong>{}</strong><br><span class="ts-muted">{}</span>',
        result.after,
        phrase(f"before_{result.round.round['against']}", before=result.before),
    )


def _outcome(result: Result, phrase: Phrase, language: str) -> Markup:
    kind = {"better": "good", "worse": "bad"}.get(result.found.outcome, "open")
    notes = [
        phrase(f"note_{name}", n=number(count))
        for name in ("waiting", "skipped", "disagreement", "identical")
        if (count := getattr(result, name)) and not (result.alike and name == "identical")
    ]
    if result.found.separable and not result.found.at_any_look:
        notes.append(phrase("note_looks"))
    return html(
        '<span class="ts-rounds-{}">{}</span><br><span class="ts-muted">{}</span>',
        kind,
        outcomes.describe(result, language),
        " · ".join(notes),
    )


def _next(studio: Studio, result: Result, phrase: Phrase, newest: int) -> Markup:
    if result.alike and not result.waiting and result.number == newest:
        return _ways_on(studio, result, phrase)
    if result.waiting or not result.found.judged:
        return html(
            '<a class="ts-button" href="/label?project={}">{}</a>', result.round.id, phrase("to_judge")
        )
    link = html('<a href="/label?project={}&amp;section=results">{}</a>', result.round.id, phrase("to_votes"))
    if result.found.outcome != "open" or result.number < newest:
        return link
    return html("{} {}", _more(result, phrase), link)


def of_run(studio: Studio, job: Job, language: str) -> Markup:
    """On the page of a training on votes: what came of its comparisons, or the button that starts one."""
    project = trained.project_of(studio, job)
    if project is None:
        return Markup()
    results_ = [result for result in outcomes.results(studio, project) if result.round.round["job"] == job.id]
    if not results_:
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
            result.round.id,
            say("labeling.round_to_judge" if result.waiting else "labeling.round_to_votes", language),
            outcomes.describe(result, language),
        )
        for result in results_
    )


def chart(all_results: Sequence[Result], language: str) -> Markup:
    """Win rate by round: one line against the round before, one against the base."""
    with_votes = [one for one in all_results if one.found.judged]
    if not with_votes:
        return Markup()
    numbers = sorted({one.number for one in with_votes})
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
            for one in with_votes
            if against in one.against
        ]
        drawn.append(Line(say(f"labeling.round_line_{against}", language), points))
    return lines(
        [line for line in drawn if line.points],
        [say("labeling.round_numbered", language, number=one) for one in numbers],
        say("labeling.round_half", language),
        say("labeling.round_chart", language),
    )


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
