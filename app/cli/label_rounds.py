"""``label compare | rounds``: whether a training on the votes has made the model better."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.label_create import Project, Wait
from app.cli.output import AsJson, Home, opened, print_json, print_rows
from app.cli.waiting import watch
from studio_core.base.states import State
from studio_core.labeling import making, outcomes, projects, rounds
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.reasons import ending
from studio_core.texts import text


def add_to(cli: typer.Typer) -> None:
    cli.command("compare")(compare)
    cli.command("rounds")(list_rounds)


def compare(
    project: Project,
    run: Annotated[int, typer.Option(help="Number of a run trained on the project's votes.")],
    against: Annotated[
        str, typer.Option(help="previous: the model of the previous round; base: the first base model.")
    ] = "previous",
    limit: Annotated[int, typer.Option(help="Maximum number of prompts.", min=1)] = rounds.LIMIT,
    wait: Wait = False,
    as_json: AsJson = False,
    home: Home = None,
) -> int:
    """Start a blind comparison of the models before and after training, on held-out prompts."""
    with opened(home) as studio:
        left = rounds.prompts_left(studio, rounds.comparison(studio, project, run, against))
        round, job = rounds.compare(studio, project, run, against=against, limit=limit)
        job = job or making.job_of(studio, round)
        if job is not None:
            ensure_engine(studio)
            job = watch(studio, job.id) if wait else job
        round = projects.get(studio, round.id)
        result = outcomes.result(studio, round)
    document = {
        **outcomes.document(result),
        "id": round.id,
        "job": job.id if job else None,
        "state": job.state if job else None,
        "counts": round.counts,
    }
    failed = wait and job is not None and job.state != State.SUCCEEDED
    if as_json:
        print_json(document)
    elif failed and job is not None:
        print(text("cli.data_failed", job=job.id, state=job.state, reason=ending(job)))
    else:
        names = {"name": round.name, "before": result.before, "after": result.after}
        print(text("labeling.round_outlook", prompts=left, pairs=min(left, limit)))
        print(outcomes.describe(result) if result.alike else text("labeling.round_started", **names))
    return 1 if failed else 0


def list_rounds(project: Project, as_json: AsJson = False, home: Home = None) -> None:
    """Print the results of all comparisons of the project."""
    with opened(home) as studio:
        root = projects.root(studio, projects.get(studio, project))
        results = outcomes.results(studio, root)
    if as_json:
        print_json([{**outcomes.document(result), "words": outcomes.describe(result)} for result in results])
        return
    rows = [
        {
            "round": result.number,
            "project": result.round.name,
            "against": result.round.round["against"],
            "before": result.before,
            "outcome": outcomes.describe(result),
        }
        for result in results
    ]
    print_rows(rows, ["round", "project", "against", "before", "outcome"])
