"""``jobs list | show | metrics | logs | stop | cancel | resume``, and the order of the queue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.output import AsJson, Home, opened, options_from, print_fields, print_json, print_rows
from app.cli.waiting import wait_for
from studio_core import training
from studio_core.base.errors import BadInput
from studio_core.base.states import Stop
from studio_core.base.studio import Studio
from studio_core.runs import kinds, metrics, order, queue, rollouts, run_folder
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.kinds import LISTED, kind_of
from studio_core.runs.reasons import waiting_reason
from studio_core.runs.summary import job_summary
from studio_core.texts import text

cli = typer.Typer(help="Runs: queued, running and finished jobs.")

Id = Annotated[int, typer.Argument(metavar="JOB", help="Job number.")]
Wait = Annotated[bool, typer.Option("--wait", help="Show a progress bar until the run ends.")]


@cli.command("list")
def list_(
    limit: Annotated[int, typer.Option(help="Maximum number of jobs.", min=1, max=10_000)] = 50,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """List jobs, newest first."""
    with opened(home) as studio:
        rows = [job_summary(studio, job) for job in queue.all_jobs(studio, limit=limit)]
    if as_json:
        print_json(rows)
    else:
        print_rows(
            rows,
            ["id", "kind", "name", "method", "state", "cause", "step", "total_steps", "model", "resumes"],
        )


@cli.command("show")
def show(job: Id, as_json: AsJson = False, home: Home = None) -> None:
    """Show a job: state, progress, latest metrics, model, folder."""
    with opened(home) as studio:
        summary = job_summary(studio, queue.get(studio, job))
    if as_json:
        print_json(summary)
    else:
        print_fields(summary)


@cli.command("metrics")
def metrics_(job: Id, as_json: AsJson = False, home: Home = None) -> None:
    """Print all logged metrics."""
    with opened(home) as studio:
        queue.get(studio, job)
        points = [{"step": p.step, "at": p.at, **p.values} for p in metrics.points(studio, job)]
    if as_json:
        print_json(points)
    else:
        names = list(dict.fromkeys(name for point in points for name in point if name != "at"))
        print_rows(points, names)


@cli.command("logs")
def logs(job: Id, as_json: AsJson = False, home: Home = None) -> None:
    """Print the end of the log."""
    with opened(home) as studio:
        run_dir = Path(queue.get(studio, job).run_dir or "")
    tail = run_folder.log_tail(run_dir)
    if as_json:
        print_json({"job": job, "file": run_dir / run_folder.LOG, "tail": tail})
    else:
        print(tail, end="")


@cli.command("rollouts")
def rollouts_(
    job: Id,
    step: Annotated[int | None, typer.Option(help="Only those of this step.", min=1)] = None,
    best: Annotated[bool, typer.Option("--best", help="Highest reward first.")] = False,
    worst: Annotated[bool, typer.Option("--worst", help="Lowest reward first.")] = False,
    limit: Annotated[int, typer.Option(help="Maximum number of rollouts.", min=1, max=1_000_000)] = 20,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Show what a run wrote while it learnt from rewards, newest first."""
    if best and worst:
        raise BadInput("cli.rollouts_both_ends")
    with opened(home) as studio:
        folder = queue.get(studio, job).run_dir
    order: rollouts.Order = "best" if best else "worst" if worst else "newest"
    shown = rollouts.chosen(Path(folder) if folder else None, step, order, limit)
    if as_json:
        print_json(shown)
    else:
        print_rows([dict(rollout) for rollout in shown], ["step", "reward", "tokens", "prompt", "answer"])


@cli.command("stop")
def stop(job: Id, as_json: AsJson = False, home: Home = None) -> None:
    """Stop and save: write a checkpoint and the model, then end."""
    _request(job, Stop.SAVE, as_json, home)


@cli.command("cancel")
def cancel(job: Id, as_json: AsJson = False, home: Home = None) -> None:
    """Cancel: end at once; saved checkpoints are kept."""
    _request(job, Stop.CANCEL, as_json, home)


def _request(job: int, what: Stop, as_json: bool, home: Path | None) -> None:
    with opened(home) as studio:
        state = queue.request_stop(studio, job, what).state
        ensure_engine(studio)
    if as_json:
        print_json({"job": job, "state": state, "requested": what})
    else:
        print(text(f"cli.stop_{what.value}", job=job))


@cli.command("duplicate")
def duplicate(
    job: Id,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="An option to change: NAME=VALUE. Repeatable.")
    ] = None,
    wait: Wait = False,
    as_json: AsJson = False,
    home: Home = None,
) -> int:
    """Run a copy of a job, with changed options."""
    with opened(home) as studio:
        spec = training.duplicate(studio, job)
        options = {**spec.options, **options_from(set_ or [])}
        new = training.submit(studio, spec.model_copy(update={"options": options}))
        ensure_engine(studio)
        if wait:
            return wait_for(studio, new, as_json)
    if as_json:
        print_json({"job": new.id})
    else:
        print(text("cli.train_queued", job=new.id, name=new.name))
    return 0


@cli.command("move")
def move(
    job: Id,
    place: Annotated[str, typer.Argument(help="first, up, down or last.")],
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Move a queued job in the queue."""
    with opened(home) as studio:
        order.move(studio, job, place)  # type: ignore[arg-type]
        _print_queue(studio, as_json)


@cli.command("priority")
def priority(
    job: Id,
    value: Annotated[
        int, typer.Argument(help="From -9 to 9; higher starts first. Put -- before a negative value.")
    ],
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Set the priority of a queued job."""
    with opened(home) as studio:
        order.set_priority(studio, job, value)
        _print_queue(studio, as_json)


@cli.command("queue")
def queue_(as_json: AsJson = False, home: Home = None) -> None:
    """List the queued jobs in order, and why each waits."""
    with opened(home) as studio:
        _print_queue(studio, as_json)


@cli.command("pause")
def pause(as_json: AsJson = False, home: Home = None) -> None:
    """Pause the queue; active jobs continue."""
    _pause(True, as_json, home)


@cli.command("unpause")
def unpause(as_json: AsJson = False, home: Home = None) -> None:
    """Resume the queue."""
    _pause(False, as_json, home)


def _pause(paused: bool, as_json: bool, home: Path | None) -> None:
    with opened(home) as studio:
        queue.pause(studio, paused)
        _print_queue(studio, as_json)


def _print_queue(studio: Studio, as_json: bool) -> None:
    rows = [
        {"job": job.id, "name": job.name, "priority": job.priority, "waits": waiting_reason(studio, job)}
        for job in queue.waiting(studio)
        if job.kind in LISTED
    ]
    paused = queue.is_paused(studio)
    if as_json:
        print_json({"paused": paused, "waiting": rows})
        return
    if paused:
        print(text("cli.queue_paused"))
    print_rows(rows, ["job", "name", "priority", "waits"])


@cli.command("resume")
def resume(
    job: Id,
    step: Annotated[
        int | None, typer.Option(help="Resume from the checkpoint at this step instead of the latest.")
    ] = None,
    wait: Wait = False,
    as_json: AsJson = False,
    home: Home = None,
) -> int:
    """Resume a job as a new one with the same settings; a training from its latest complete checkpoint."""
    with opened(home) as studio:
        kind = kind_of(queue.get(studio, job).kind)
        # Only trainings have checkpoints to choose from; what cannot be resumed at all they refuse by name.
        whole = step is None and kind.resume
        new = kinds.call(kind.resume, studio, job) if whole else training.resume(studio, job, step=step)
        passed_over = training.passed_over(studio, new)
        ensure_engine(studio)
        if wait:
            return wait_for(studio, new, as_json)
    if as_json:
        spoilt = [{"step": one.step, "problem": one.problem} for one in passed_over]
        print_json({"job": new.id, "resumes": job, "step": training.resumed_step(new), "passed_over": spoilt})
        return 0
    print(text("cli.resumed", job=new.id, resumes=job))
    for checkpoint in passed_over:
        print(text("runs.passed_over", **vars(checkpoint)))
    return 0
