"""Rounds of the loop: votes train a model, and people then say whether it writes better than the one before.

A round is a labelling project of its own, with two answers to each prompt: of the model before and of the
one after. Its prompts are held out from training, were in no earlier round, and occur in nothing that either
of the two was trained on. Once compared they are used up: their votes go into the next version of the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import func, select

from studio_core.base.errors import BadInput, Conflict
from studio_core.base.states import TERMINAL
from studio_core.base.studio import Studio
from studio_core.base.tables import Annotation, Job, LabelProject, Model
from studio_core.data import versions
from studio_core.generation.answer_jobs import AnswerSource
from studio_core.labeling import items, making, progress, projects, trained
from studio_core.labeling.exports import HELD_OUT, OPERATION
from studio_core.labeling.making import NewPrompt
from studio_core.labeling.outcomes import AGAINST, Result, results
from studio_core.labeling.projects import settings_of
from studio_core.labeling.records import SHAPE_OF
from studio_core.methods import METHODS
from studio_core.methods.base import Method
from studio_core.models import registry

LIMIT = 50
"""Prompts of a round, unless another number is asked for."""
# More than a person judges in a day; an interval hardly narrows beyond.
MOST = 1000


@dataclass(frozen=True)
class Comparison:
    """Which two models a round compares, and why these."""

    project: LabelProject
    number: int
    """From 1; comparisons of the same run have the same number."""
    job: Job
    before: Model
    after: Model
    base: Model
    against: str

    @property
    def round(self) -> dict[str, Any]:
        """As it is kept with the project that compares them."""
        return {
            "project": self.project.id,
            "number": self.number,
            "before": self.before.id,
            "after": self.after.id,
            "base": self.base.id,
            "against": self.against,
            "job": self.job.id,
        }


def comparison(studio: Studio, project: str | int, run: int | Job, against: str = AGAINST[0]) -> Comparison:
    """What comparing the outcome of a run means; raises why there is nothing to compare."""
    if against not in AGAINST:
        raise BadInput("labeling.round_unknown_against", against=against[:40], known=", ".join(AGAINST))
    root = projects.root(studio, projects.get(studio, project))
    runs = {job.id: job for job in trained.runs_of(studio, root)}
    number = run.id if isinstance(run, Job) else run
    if number not in runs:
        numbers = ", ".join(map(str, runs)) or "-"
        raise BadInput("labeling.round_other_run", run=number, project=root.name, known=numbers)
    job = runs[number]
    after = registry.result_of(studio, job.id)
    # Without a parent there is nothing that the model was before.
    if after is None or after.parent_id is None:
        raise Conflict("labeling.round_no_model", run=job.id)
    rounds = projects.rounds_of(studio, root.id)
    earlier = [round for round in rounds if round.round["job"] != job.id]
    same = [round.round["number"] for round in rounds if round.round["job"] == job.id]
    place = same[0] if same else max((round.round["number"] for round in earlier), default=0) + 1
    earlier = [round for round in earlier if round.round["number"] < place]
    # The base of the first round for all later ones, or progress would be told from a moving point.
    base = registry.get(studio, earlier[0].round["base"] if earlier else after.parent_id)
    before = base
    if against == "previous":
        newest = max(earlier, key=lambda round: round.round["number"], default=None)
        before = registry.get(studio, newest.round["after"] if newest else after.parent_id)
    return Comparison(root, place, job, before, after, base, against)


def existing(studio: Studio, asked: Comparison) -> LabelProject | None:
    """The round that compares these two already. The first is against the base, whatever was asked for."""
    return next(
        (
            round
            for round in projects.rounds_of(studio, asked.project.id)
            if round.round["job"] == asked.job.id and round.round["before"] == asked.before.id
        ),
        None,
    )


def compare(
    studio: Studio,
    project: str | int,
    run: int | Job,
    *,
    against: str = AGAINST[0],
    limit: int = LIMIT,
) -> tuple[LabelProject, Job | None]:
    """Start a round: a project in which the two models' answers are judged blind, and the job that writes them.

    Asked for again it is the round that is there, without a job.
    """
    asked = comparison(studio, project, run, against)
    if (round := existing(studio, asked)) is not None:
        return round, None
    prompts = _chosen(studio, asked, limit)
    root = asked.project
    guidelines = projects.guidelines(studio, root.id)
    inherited = settings_of(root).model_dump(include={"votes", "strength", "repeats", "reasons"})
    return making.create(
        studio,
        projects.free_name(studio, _name(asked)),
        prompts,
        [_source(asked, model) for model in (asked.before, asked.after)],
        mode="pairs",
        # Always blind: that one model is the newer one is just what would sway a vote.
        settings={**inherited, "blind": True},
        guidelines=guidelines.text if guidelines else "",
        dataset_id=root.dataset_id,
        round=asked.round,
    )


def more(studio: Studio, round: str | int, limit: int = LIMIT) -> Job:
    """Compare the models of a round on further prompts."""
    row = projects.get(studio, round)
    if not row.round:
        raise BadInput("labeling.round_none", project=row.name)
    asked = comparison(studio, row.round["project"], row.round["job"], row.round["against"])
    prompts = _chosen(studio, asked, limit, besides=row)
    return making.more(studio, row.id, prompts, for_round=True)


def _name(asked: Comparison) -> str:
    base = "-base" if asked.against == "base" else ""
    # A name has 80 characters at most, and the ending is what tells rounds apart.
    return f"{asked.project.name[:56]}-round-{asked.number}{base}"


def _source(asked: Comparison, model: Model) -> AnswerSource:
    """Both answer as the models did whose answers were judged first, with the same sampling and seed."""
    sources = [source for source in asked.project.sources if isinstance(source, dict)]
    alike = ("temperature", "top_p", "top_k", "max_tokens", "system", "seed")
    sampling = {name: sources[0][name] for name in alike if name in sources[0]} if sources else {}
    return AnswerSource(name=model.name[:80], model=model.name, **sampling)


# --- prompts ------------------------------------------------------------------------------


def _chosen(
    studio: Studio, asked: Comparison, limit: int, besides: LabelProject | None = None
) -> list[NewPrompt]:
    if not 1 <= limit <= MOST:
        raise BadInput("labeling.round_limit", limit=limit, most=MOST)
    prompts = list(islice(prompts_for(studio, asked, besides), limit))
    if not prompts:
        share = settings_of(asked.project).held_out
        raise Conflict("labeling.round_no_prompts", project=asked.project.name, percent=f"{100 * share:.0f}")
    return prompts


def prompts_for(
    studio: Studio, asked: Comparison, besides: LabelProject | None = None
) -> Iterator[NewPrompt]:
    """Prompts on which the two may be compared; those that the same run was compared on already come last.

    ``besides``: a round that is to get further ones.
    """
    rounds = projects.rounds_of(studio, asked.project.id)
    others = [round.id for round in rounds if round.round["number"] != asked.number]
    # A prompt that an earlier round showed may have been trained on since: its votes went into the data.
    barred = items.prompt_hashes(studio, others)
    trained_on = trained.prompts_seen(studio, [asked.before, asked.after])
    if besides is not None:
        barred |= {items.prompt_hash(prompt.messages) for prompt in making.prompts_of(studio, besides)}
    same = items.prompt_hashes(studio, [round.id for round in rounds if round.id not in others])
    again = []
    for prompt in held_out(studio, asked.project):
        hash = items.prompt_hash(prompt.messages)
        if hash in barred or hash in trained_on:
            continue
        if hash in same:
            again.append(prompt)
        else:
            yield prompt
    # Better than none: another answer of the same run to the same prompt is still a comparison.
    yield from again


def prompts_left(studio: Studio, asked: Comparison, besides: LabelProject | None = None) -> int:
    """On how many prompts the two may be compared, counted up to ``MOST``: each is one comparison."""
    # Bounded, since each is read and hashed while a page waits.
    return sum(1 for _ in islice(prompts_for(studio, asked, besides), MOST))


def held_out(studio: Studio, project: LabelProject) -> Iterator[NewPrompt]:
    """All prompts of a project that are kept from training, each once: those it was given, those of its items,
    then what else there is in the dataset that it was made from."""
    share, hashes = settings_of(project).held_out, set[str]()
    for prompt in _all_prompts(studio, project, share):
        hash = items.prompt_hash(prompt.messages)
        if hash not in hashes and items.is_held_out(hash, share):
            hashes.add(hash)
            yield prompt


def _all_prompts(studio: Studio, project: LabelProject, share: float) -> Iterator[NewPrompt]:
    yield from making.prompts_of(studio, project)
    yield from map(NewPrompt, items.held_out_prompts(studio, project.id, share))
    if project.dataset_id is not None:
        dataset = versions.get(studio, project.dataset_id)
        yield from making.prompts_of_dataset(studio, dataset, held_out=True, share=share)


def left(studio: Studio, project: LabelProject, most: int = 200) -> int:
    """How many held out prompts no round has used yet, counted up to ``most``."""
    rounds = projects.rounds_of(studio, project.id)
    used = items.prompt_hashes(studio, [round.id for round in rounds])
    fresh = (prompt for prompt in held_out(studio, project) if items.prompt_hash(prompt.messages) not in used)
    return sum(1 for _ in islice(fresh, most))


# --- the next step --------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """What brings the loop on."""

    name: str
    """``label``, ``train``, ``wait``, ``compare``, ``judge``, ``prompts`` or ``alike``."""
    job: Job | None = None
    round: LabelProject | None = None


def next_step(studio: Studio, project: LabelProject, results: Sequence[Result]) -> Step:
    """From the votes to a training, to its comparison, to the votes on it, and to the next training."""
    newest = results[-1] if results else None
    if newest is not None:
        job = making.job_of(studio, newest.round)
        # First what has been begun: votes half given are worth nothing to the next step.
        if newest.waiting or (job is not None and job.state not in TERMINAL):
            return Step("judge", round=newest.round)
        if not newest.items and not newest.identical:
            return Step("wait", job=job)
    runs = trained.runs_of(studio, project)
    compared = {result.round.round["job"] for result in results}
    if runs and runs[0].state not in TERMINAL:
        return Step("wait", job=runs[0])
    if runs and runs[0].id not in compared and registry.result_of(studio, runs[0].id) is not None:
        return Step("compare" if left(studio, project, 1) else "prompts", job=runs[0])
    untrained = _untrained(studio, project, runs)
    if newest is not None and not newest.items and not untrained:
        return Step("alike", round=newest.round)
    how = progress.of(studio, project)
    # More votes before more training: a run costs hours, a vote seconds.
    if how["done"] < how["items"]:
        return Step("label")
    return Step("train" if untrained else "label")


def _untrained(studio: Studio, project: LabelProject, runs: Sequence[Job]) -> bool:
    """Whether there are votes that no version was made of, or a version that no run was trained on."""
    versions = [
        version
        for version in trained.versions_of(studio, project)
        if version.operation == OPERATION and not version.name.endswith(HELD_OUT)
    ]
    if versions and (not runs or runs[0].spec["run"]["dataset"]["id"] < versions[0].id):
        return True
    ids = [project.id, *(round.id for round in projects.rounds_of(studio, project.id))]
    # What a judge said since is no reason to train again: people have not looked at it.
    people = Annotation.origin != "judge"
    with studio.db.read() as session:
        query = select(func.max(Annotation.created_at)).where(Annotation.project_id.in_(ids), people)
        newest = session.scalar(query)
    return newest is not None and (not versions or newest > versions[0].created_at)


def exports_by_method() -> dict[str, str]:
    """What is made of votes for each method that learns from them: ``{method: a key of SHAPE_OF}``."""
    exports = {shape: export for export, shape in SHAPE_OF.items()}
    shapes = {
        name: [shape for shape in method.shapes if shape in exports] for name, method in METHODS.items()
    }
    return {name: exports[fitting[0]] for name, fitting in shapes.items() if fitting}


def learners(export: str) -> list[Method]:
    """The methods that learn from votes that are exported so (a key of ``SHAPE_OF``), the usual one first."""
    return [METHODS[name] for name, shape in exports_by_method().items() if shape == export]


def model_to_train(studio: Studio, project: LabelProject) -> Model | None:
    """The model that the next training goes on from: the newest one that was not found worse than the one
    before it, else the one that wrote the answers; None if no model of the studio did."""
    for result in reversed(results(studio, project)):
        # Not "better" only: most rounds are too short to tell, and the newer model has seen more votes.
        if result.found.outcome != "worse":
            return registry.get(studio, result.round.round["after"])
    named = (source.get("model") for source in project.sources if isinstance(source, dict))
    first = next((name for name in named if name), None)
    return registry.get(studio, first) if first else None
