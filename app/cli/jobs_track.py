"""``jobs track``: a run sent to an experiment tracker afterwards."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from app.cli.output import AsJson, Home, listed, opened, print_json
from studio_core.base.errors import StudioError
from studio_core.runs import queue
from studio_core.trackers import TRACKERS, follower, sent


def add_to(cli: typer.Typer) -> None:
    cli.command("track")(track)


def track(
    job: Annotated[int, typer.Argument(metavar="JOB", help="Number of the training.")],
    to: Annotated[str, typer.Option("--to", help=f"Tracker: {listed(TRACKERS)}.")],
    again: Annotated[bool, typer.Option("--again", help="Log all of it once more, as a new run.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> int:
    """Log a training to a tracker, from where logging stopped. Waits until the run has ended."""
    with opened(home) as studio:
        process = follower.send(studio, job, to, again)
        process.wait()
        run_dir = Path(queue.get(studio, job).run_dir or "")
        known = sent.read(run_dir, to)
    if known is None:
        raise StudioError("trackers.follower_failed", log=studio.settings.logs / follower.LOG)
    well = sent.is_well(run_dir, to, known)
    if as_json:
        print_json({"job": job, "tracker": to, **asdict(known)})
    else:
        print(sent.sentence(job, run_dir, to, known, command_line=True))
    return 0 if well else 1
