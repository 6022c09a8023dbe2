"""Judges: models that say in advance which answer is better, and how far they agree with people.

Their labels are marked as theirs wherever they go, and are used only once their agreement is known: on as
many pairs as agreement among people takes.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from studio_core.base.errors import BadInput, Conflict
from studio_core.base.states import TERMINAL
from studio_core.base.studio import Studio
from studio_core.base.tables import Annotation, Job, LabelItem, LabelProject
from studio_core.base.validation import validate
from studio_core.curation import making as data_jobs
from studio_core.generation import services
from studio_core.generation.answer_jobs import JudgeSpec
from studio_core.labeling import projects, records
from studio_core.labeling import votes as votes_of
from studio_core.labeling.assignment import current
from studio_core.labeling.records import Yield
from studio_core.labeling.writing import JUDGE, PRELABEL
from studio_core.models import registry
from studio_core.runs import queue
from studio_core.runs.spec import DataSpec, ResolvedModel
from studio_core.statistics.agreement_rate import SHARED, Share, agreement_rate

# Rows of one query: SQLite takes some 30,000 values in a statement, and annotators write in between.
_AT_ONCE = 1000


@dataclass(frozen=True)
class Judge:
    """What one judge has said, beside what people say."""

    annotator: str
    """``judge:<name>``"""
    counts: dict[str, int]
    """Verdicts; a judge whose verdict hung on the order said ``tie``."""
    swayed: int
    """Pairs of which it said one thing in one order and another in the other."""
    agreement: Share
    """With what people have settled on; both bad counts as a tie where the judge could not say it."""
    kappa: float | None
    """Cohen's, on the same; None below ``SHARED``, or if all said the same."""

    @property
    def name(self) -> str:
        return self.annotator.partition(":")[2]

    @property
    def missing(self) -> int:
        """Pairs judged by people that are missing until its agreement is known."""
        return max(0, SHARED - self.agreement.of)


def start(
    studio: Studio,
    project: str | int,
    *,
    model: str = "",
    service: str = "",
    name: str = "",
    rubric: str = "",
    limit: int | None = None,
) -> Job:
    """Have a model or a service judge what it has not judged yet; what people judged comes first.

    A reward model judges by its scores; it reads no ``rubric``.
    """
    row = projects.get(studio, project)
    if row.mode != "pairs":
        raise BadInput("labeling.judge_pairs_only", project=row.name, mode=row.mode)
    if bool(model) == bool(service):
        raise BadInput("generation.one_of", model="model", service="service")
    file = studio.settings.home / services.FILE
    resolved = _judging_model(studio, model) if model else {}
    if "reward_model" in resolved and rubric.strip():
        raise BadInput("labeling.judge_reads_no_rubric", model=resolved["reward_model"].name)
    own = next(iter(resolved.values())).name if model else services.get(file, service).name
    named = name.strip() or own
    if running := _under_way(studio, row, named):
        raise Conflict("labeling.judge_under_way", judge=named, job=running.id)
    items = _items_file(studio, row, f"{JUDGE}:{named}", limit)
    options = {"name": named, "model": model, "service": service, "rubric": rubric, "items": str(items)}
    try:
        asked = validate(JudgeSpec, {"project": row.id, **options}, "labeling.setting_invalid").model_dump()
    except BadInput:
        items.unlink()
        raise
    spec = DataSpec(name=f"{named}: {row.name}"[:80], operation=PRELABEL, options=asked)
    return data_jobs.enqueue(studio, spec, options=asked, models=resolved, needs_model=bool(model))


def _judging_model(studio: Studio, name: str) -> dict[str, ResolvedModel]:
    """A model by what it does: ``model`` is asked, ``reward_model`` scores."""
    model = registry.find_or_add(studio, name)
    scores = registry.scores(model)
    return {"reward_model" if scores else "model": registry.resolve_row(studio, model, scoring=scores)}


def _items_file(studio: Studio, project: LabelProject, annotator: str, limit: int | None) -> Path:
    """The pairs to be judged, those first that people have judged: they tell what the judge is worth."""
    ready: list[list[LabelItem]] = [[], []]
    for item, votes in records.voted(studio, project):
        if not any(vote.annotator == annotator and vote.origin == JUDGE for vote in votes):
            # Those that people judged are in the first list: they measure the judge, and come first.
            ready[not _people(votes)].append(item)
    items = [*ready[0], *ready[1]][:limit]
    if not items:
        raise BadInput("labeling.judge_nothing_left", project=project.name)
    folder = studio.settings.labelling / str(project.id)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # A file of its own for each start: the job may still read while another is asked for.
    descriptor, name = tempfile.mkstemp(prefix="judge-", suffix=".jsonl", dir=folder)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        for item in items:
            texts = [answer["text"] for answer in item.answers]
            document = {"item": item.id, "prompt": item.prompt, "answers": texts}
            file.write(json.dumps(document, ensure_ascii=False) + "\n")
    return Path(name)


def jobs_of(studio: Studio, project: LabelProject) -> list[Job]:
    """The jobs that wait or run for judges of a project."""
    live = [*queue.waiting(studio), *queue.live(studio)]
    return [job for job in live if job.method == PRELABEL and job.spec["options"]["project"] == project.id]


def _under_way(studio: Studio, project: LabelProject, name: str) -> Job | None:
    jobs = (job for job in jobs_of(studio, project) if job.state not in TERMINAL)
    return next((job for job in jobs if job.spec["options"]["name"] == name), None)


def of_project(studio: Studio, project: LabelProject) -> list[Judge]:
    """Every judge that has said something, by name."""
    labels: dict[str, list[Annotation]] = {}
    both: dict[str, list[tuple[str, str]]] = {}
    with studio.db.read() as session:
        query = select(Annotation).where(
            Annotation.project_id == project.id, Annotation.origin == JUDGE, current()
        )
        annotations = session.scalars(query).all()
    settled = _settled(studio, project, sorted({vote.item_id for vote in annotations}))
    for vote in annotations:
        labels.setdefault(vote.annotator, []).append(vote)
        if people := settled.get(vote.item_id):
            both.setdefault(vote.annotator, []).append((vote.verdict, _as_asked(vote, people)))
    return [_judge(annotator, votes, both.get(annotator, [])) for annotator, votes in sorted(labels.items())]


def _settled(studio: Studio, project: LabelProject, ids: Sequence[int]) -> dict[int, str]:
    """What people have settled on, by item."""
    settled: dict[int, str] = {}
    for first in range(0, len(ids), _AT_ONCE):
        by_item: dict[int, list[Annotation]] = {}
        for vote in votes_of.standing(studio, project.id, item_ids=ids[first : first + _AT_ONCE]):
            by_item.setdefault(vote.item_id, []).append(vote)
        for item, votes in by_item.items():
            # One person is enough here: a judge is measured against whoever has looked.
            if carried := records.carried(_people(votes), 1, 0.0, Yield()):
                settled[item] = carried[0].verdict
    return settled


def _people(votes: list[Annotation]) -> list[Annotation]:
    return [vote for vote in votes if vote.repeats_id is None and vote.origin != JUDGE]


def _as_asked(vote: Annotation, people: str) -> str:
    """What people say in the words that the judge had: older ones were not asked whether both are bad."""
    return "tie" if people == "both_bad" and not vote.value.get("may_say_both_bad") else people


def _judge(annotator: str, votes: list[Annotation], both: list[tuple[str, str]]) -> Judge:
    agreement = agreement_rate(both)
    return Judge(
        annotator,
        dict(Counter(vote.verdict for vote in votes)),
        # Asked in both orders, it said two things: it followed the place and not the answer.
        sum(len(set(vote.value.get("said", []))) > 1 for vote in votes),
        agreement.share,
        agreement.kappa,
    )


def usable(studio: Studio, project: LabelProject) -> list[str]:
    """The judges whose agreement with people is known; raises how much is missing if there is none."""
    judges = of_project(studio, project)
    names = [judge.annotator for judge in judges if not judge.missing]
    if not names:
        if not judges:
            raise BadInput("labeling.judge_none", project=project.name)
        # The one that is nearest: what is said is what to do next.
        best = min(judges, key=lambda judge: judge.missing)
        raise BadInput(
            "labeling.judge_unmeasured", judge=best.name, shared=best.agreement.of, missing=best.missing
        )
    return names
