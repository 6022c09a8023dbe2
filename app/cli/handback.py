"""``handback``: what another trainer made of a run, as a run of ours."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.output import AsJson, Home, listed, opened, print_json
from app.cli.waiting import wait_for
from studio_core import handover
from studio_core.handover import TRAINERS, taking
from studio_core.runs.engine_process import ensure_engine
from studio_core.texts import text


def handback(
    folder: Annotated[
        str, typer.Argument(help="Folder that was handed over, with what the trainer wrote into it.")
    ],
    run: Annotated[
        int | None,
        typer.Option(help="Number of the run that was handed over (default: as in handover.json)."),
    ] = None,
    trainer: Annotated[
        str, typer.Option(help=f"Trainer: {listed(TRAINERS)} (default: as in handover.json).")
    ] = "",
    name: Annotated[str, typer.Option(help="Name of the new run and model; generated if empty.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Show a progress bar until the job ends.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> int:
    """Import metrics and weights of a run that another trainer did, as a run marked as such. Prints the job number."""
    with opened(home) as studio:
        job = taking.take_back(studio, folder, run, trainer, name)
        ensure_engine(studio)
        if wait:
            return wait_for(studio, job, as_json)
    there = taking.elsewhere(job)
    assert there
    if as_json:
        print_json({"job": job.id, "name": job.name, **there.model_dump()})
    else:
        title = handover.named(there.trainer).title
        print(text("handover.taken", job=job.id, folder=there.folder, trainer=title, run=there.run))
    return 0
