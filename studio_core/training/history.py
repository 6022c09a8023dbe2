"""What runs leave behind for later ones: to go on from, to copy, and to draw as one curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select

from studio_core.base.errors import BadInput, Conflict
from studio_core.base.states import TERMINAL, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job, Metric
from studio_core.methods.common import TrainingOptions
from studio_core.options import fields
from studio_core.runs import metrics, outline, queue, run_folder
from studio_core.runs.spec import TrainSpec
from studio_core.tunings import DEFAULT, without_others


def spec_of(job: Job) -> TrainSpec:
    """What the job was asked to do, as a person would write it."""
    if job.kind != "train":
        raise BadInput("train.not_a_training", job=job.id)
    values = {name: job.spec[name] for name in TrainSpec.model_fields if name in job.spec}
    options = without_others(values.get("tuning", DEFAULT), values.get("options", {}))
    return TrainSpec.model_validate({**values, "options": options})


def resume(studio: Studio, job_id: int, key: str | None = None, step: int | None = None) -> Job:
    """A new job that goes on from the newest complete checkpoint of a run that ended before its last step.

    With ``step`` it goes on from the checkpoint of that step, also of a run that reached its end.
    """
    job = queue.get(studio, job_id)
    spec_of(job)
    if job.state not in TERMINAL:
        raise Conflict("train.resume_live", job=job_id)
    finished = job.state == State.SUCCEEDED and job.total_steps and job.step >= job.total_steps
    if finished and step is None:
        raise Conflict("train.resume_finished", job=job_id, steps=job.total_steps)
    _require_alone(studio, job_id, key)
    checkpoint = checkpoint_to_resume(job) if step is None else _checkpoint_at(job, step)
    if checkpoint is None:
        raise Conflict("train.resume_no_checkpoint", job=job_id)
    run = job.spec["run"]
    for model in (run["model"], *run.get("models", {}).values()):
        for folder in filter(None, (model["path"], model.get("adapter"))):
            # Asked here and not in the worker: the sentence comes at the click and not after a start.
            if not Path(folder).is_dir():
                raise BadInput("models.gone", model=model["name"], path=folder)
    spec = {**job.spec, "run": {**job.spec["run"], "resume_from": str(checkpoint)}}
    return queue.submit_again(studio, job, spec, key)


def checkpoint_to_resume(job: Job) -> Path | None:
    """The newest complete checkpoint: the run's own, else the one that it started from."""
    own = run_folder.newest_complete(Path(job.run_dir)) if job.run_dir else None
    if own is not None:
        return own.path
    earlier = job.spec.get("run", {}).get("resume_from")
    if earlier and (Path(earlier) / run_folder.MANIFEST).is_file():
        return Path(earlier)
    return None


def _checkpoint_at(job: Job, step: int) -> Path:
    checkpoints = run_folder.checkpoints(Path(job.run_dir)) if job.run_dir else []
    chosen = next((checkpoint for checkpoint in checkpoints if checkpoint.step == step), None)
    if chosen is None or not chosen.complete:
        steps = ", ".join(str(checkpoint.step) for checkpoint in checkpoints if checkpoint.complete)
        problem = chosen.problem if chosen else "-"
        raise BadInput("train.no_checkpoint_at", job=job.id, step=step, steps=steps or "-", problem=problem)
    return chosen.path


def _require_alone(studio: Studio, job_id: int, key: str | None) -> None:
    """Two runs that go on from one checkpoint at the same time are a mistake, but one click twice is not."""
    query = select(Job).where(Job.resumes_id == job_id, Job.state.not_in(TERMINAL))
    with studio.db.read() as session:
        going = session.scalars(query).first()
    if going is not None and not (key and going.idempotency_key == key):
        raise Conflict("train.resume_running", job=job_id, other=going.id)


def duplicate(studio: Studio, job_id: int) -> TrainSpec:
    """The same training again, to be changed; it gets a name of its own."""
    return spec_of(queue.get(studio, job_id)).model_copy(update={"name": ""})


LONGER = 2
"""How many times as long a run is trained whose result can hardly be told from its base."""


def longer(studio: Studio, job_id: int) -> TrainSpec:
    """The same training again with more epochs, and more steps where these are limited."""
    spec = duplicate(studio, job_id)
    before = queue.get(studio, job_id).spec["run"]["options"]
    highest = {field.name: field.maximum for field in fields(TrainingOptions, ("options",))}
    # Options that are 0 do not limit: doubled, they would still not.
    more = {
        name: type(before[name])(min(LONGER * before[name], highest[name] or math.inf))
        for name in ("epochs", "max_steps")
        if before[name]
    }
    return spec.model_copy(update={"options": {**spec.options, **more}})


def resumed_step(job: Job) -> int:
    """The step from which a resumed job goes on; 0 for a job that began at the beginning."""
    folder = job.spec.get("run", {}).get("resume_from") or ""
    number = Path(folder).name.rpartition("-")[2]
    return int(number) if number.isdigit() else 0


def passed_over(studio: Studio, job: Job) -> list[run_folder.Checkpoint]:
    """Newer checkpoints of the run that this one resumed, which were not whole; newest first."""
    if job.resumes_id is None:
        return []
    checkpoints = run_folder.checkpoints(Path(queue.get(studio, job.resumes_id).run_dir or ""))
    start = resumed_step(job)
    return [
        checkpoint
        for checkpoint in reversed(checkpoints)
        if checkpoint.step > start and not checkpoint.complete
    ]


def curve(studio: Studio, job: Job) -> list[Metric]:
    """The run's reports in the order of their steps, after those of the runs that it goes on from.

    Of those only what came before the step at which it took over.
    """
    own = metrics.points(studio, job.id)
    if job.resumes_id is None:
        return list(own)
    before = curve(studio, queue.get(studio, job.resumes_id))
    taken_over = resumed_step(job)
    return [point for point in before if point.step <= taken_over] + list(own)


def outlined(studio: Studio, job: Job, most: int = outline.MOST) -> outline.Outline:
    """The same as ``curve``, condensed to ``most`` stretches: quick for a run of any length."""
    whole = outline.outline(studio, job.id, most=most)
    taken_over = resumed_step(job)
    while job.resumes_id is not None:
        taken_over = min(taken_over, resumed_step(job))
        job = queue.get(studio, job.resumes_id)
        before = outline.outline(studio, job.id, until=taken_over, most=most).lines
        names = before.keys() | whole.lines.keys()
        lines = {name: [*before.get(name, []), *whole.lines.get(name, [])] for name in names}
        whole = outline.Outline(lines, whole.seq)
    return whole


def seconds_at(studio: Studio, job: Job, most: int = outline.MOST) -> list[tuple[int, float]]:
    """After how many seconds of work the run, with those that it goes on from, had come to which step; rising."""
    reports = outline.moments(studio, job.id, most)
    if not reports:
        return []
    start = job.started_at or reports[0][1]
    own = [(step, max(0.0, (at - start).total_seconds())) for step, at in reports]
    if job.resumes_id is None:
        return own
    taken_over = resumed_step(job)
    before = seconds_at(studio, queue.get(studio, job.resumes_id), most)
    before = [moment for moment in before if moment[0] <= taken_over]
    passed = before[-1][1] if before else 0.0
    return [*before, *((step, passed + seconds) for step, seconds in own)]


def answers(studio: Studio, job: Job) -> list[dict[str, Any]]:
    """Answers to the fixed prompts: ``[{"prompt", "answers": [{"when", "step", "answer"}]}]``.

    A resumed run begins with what the earlier run answered before and during.
    """
    rows: dict[int, dict[str, Any]] = {}
    chain = [job]
    while chain[0].resumes_id is not None:
        chain.insert(0, queue.get(studio, chain[0].resumes_id))
    for one, following in zip(chain, [*chain[1:], None], strict=True):
        for note in metrics.notes(studio, one.id, "sample"):
            body = note.body
            if following is not None and (body["when"] == "after" or body["step"] > resumed_step(following)):
                continue
            row = rows.setdefault(body["index"], {"prompt": body["prompt"], "answers": []})
            answer = {name: body[name] for name in ("when", "step", "answer")}
            if one is not chain[0] and body["when"] == "before":
                continue  # The resumed model is not the one from before the training.
            row["answers"].append(answer)
    return [rows[index] for index in sorted(rows)]


def seconds_left(job: Job) -> float | None:
    """Time until the last step, as the run itself reports it; None if it cannot be told yet."""
    left = job.latest.get("seconds_left")
    return float(left) if left is not None and job.state == State.RUNNING else None


def resumed_by(studio: Studio, job_id: int) -> Sequence[Job]:
    """Runs that go on from this one, oldest first."""
    with studio.db.read() as session:
        return session.scalars(select(Job).where(Job.resumes_id == job_id).order_by(Job.id)).all()
