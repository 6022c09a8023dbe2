"""``jobs list | show | metrics | logs | compare | stop | cancel | resume``, and the order of the queue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli import jobs_compare, jobs_share, jobs_track, keeping, sweep
from app.cli.output import AsJson, Home, opened, options_from, print_fields, print_json, print_rows
from app.cli.waiting import wait_for
from studio_core import training
from studio_core.base.errors import BadInput, NotFound
from studio_core.base.states import Stop
from studio_core.base.studio import Studio
from studio_core.keeping.runs import RUNS
from studio_core.runs import kinds, metrics, order, queue, rollouts, run_folder
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.kinds import LISTED, kind_of
from studio_core.runs.reasons import waiting_reason
from studio_core.runs.summary import job_summary
from studio_core.texts import text
from studio_core.training import rollout_records

cli = typer.Typer(help="Runs: queued, running and finished jobs.")

keeping.add_to(cli, RUNS, lambda studio, name: queue.get(studio, _number(name)).id)

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


jobs_compare.add_to(cli)
jobs_track.add_to(cli)
sweep.add_to(cli)
jobs_share.add_to(cli)


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
    varied: Annotated[
        bool, typer.Option("--varied", help="By prompt; those whose rewards differ most first.")
    ] = False,
    search: Annotated[str, typer.Option(help="Only those with this text in prompt or answer.")] = "",
    limit: Annotated[int, typer.Option(help="Maximum number of rollouts.", min=1, max=1_000_000)] = 20,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Show what a run wrote while it learnt from rewards, newest first."""
    orders: dict[rollouts.Order, bool] = {"best": best, "worst": worst, "varied": varied}
    asked = [order for order, wanted in orders.items() if wanted]
    if len(asked) > 1:
        raise BadInput("cli.rollouts_orders", orders=", ".join(f"--{order}" for order in asked))
    with opened(home) as studio:
        folder = queue.get(studio, job).run_dir
    order = asked[0] if asked else "newest"
    page = rollouts.page(Path(folder) if folder else None, step, order, search, limit=limit)
    by_token = {mark: {"by_token": figures} for mark, figures in page.by_token.items()}
    shown = [{"mark": mark, **rollout, **by_token.get(mark, {})} for mark, rollout in page.rollouts]
    if as_json:
        print_json(shown)
    else:
        whole = [{**row, "answer": rollouts.whole_text(row)} for row in shown]  # type: ignore[arg-type]
        print_rows(whole, ["mark", "step", "reward", "tokens", "prompt", "answer"])


@cli.command("add-rollout")
def add_rollout(
    job: Id,
    mark: Annotated[str, typer.Argument(help="The rollout's mark, as the command rollouts lists it.")],
    kind: Annotated[
        str,
        typer.Argument(help="pair: the best answer to its prompt in its step against the worst; or answer."),
    ],
    dataset: Annotated[str, typer.Argument(help="Name of the dataset; it is made if there is none.")],
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Add a rollout to a dataset, as a preference pair or as an SFT record; that makes a new version."""
    with opened(home) as studio:
        added = rollout_records.add(studio, job, mark, kind, dataset)
    name = f"{added.dataset.name}@{added.dataset.version}"
    if as_json:
        print_json(
            {"dataset": name, "rows": added.dataset.rows, "new": added.new, "record": added.records[0]}
        )
    else:
        words = "runs.rollout_added" if added.new else "runs.rollout_added_before"
        print(text(words, rows=added.dataset.rows), name)


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


def _number(name: str) -> int:
    if not (name.isascii() and name.isdigit() and len(name) < 16):
        raise NotFound("job_not_found", job=name[:40])
    return int(name)
