"""Waiting for a job with a progress bar."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.cli.output import print_json
from studio_core.base.states import TERMINAL, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.runs import queue
from studio_core.runs.summary import job_summary
from studio_core.texts import text

# A progress bar that moves smoothly; one look is a query of under a millisecond.
_POLL_SECONDS = 0.1


def wait_for(studio: Studio, job: Job, as_json: bool) -> int:
    """Show progress on stderr until the job ends; print what came of it. 0 if it succeeded, else 1."""
    job = watch(studio, job.id)
    summary = job_summary(studio, job)
    for warning in reversed(summary["warnings"]):
        print(warning, file=sys.stderr)
    if as_json:
        print_json({"job": job.id, "state": job.state, "cause": job.cause, "model": summary["model"]})
    else:
        print(
            text(f"cli.job_{job.state}", job=job.id, model=summary["model"], detail=job.detail or job.cause)
        )
    return 0 if job.state == State.SUCCEEDED else 1


def watch(studio: Studio, job_id: int) -> Job:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[loss]}"),
    )
    # Not stdout: that holds the result alone, for a program that reads it.
    console = Console(file=sys.stderr)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=None, loss="")
        while True:
            job = queue.get(studio, job_id)
            loss = job.latest.get("loss")
            progress.update(
                bar,
                description=job.phase or job.state,
                completed=job.step,
                total=job.total_steps,
                loss="" if loss is None else f"loss {loss:.4f}",
            )
            if job.state in TERMINAL:
                return job
            time.sleep(_POLL_SECONDS)
