"""``jobs compare``: several trainings beside each other, as the page shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from app.cli.output import AsJson, Home, opened, print_json, print_rows
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.texts import text
from studio_core.training import comparison


def add_to(cli: typer.Typer) -> None:
    cli.command("compare")(compare)


def compare(
    jobs: Annotated[
        list[int], typer.Argument(metavar="JOB...", help="Trainings; the first is the baseline.")
    ],
    by: Annotated[
        str, typer.Option(help="x-axis of the curves of --json: step, tokens, time (seconds) or epoch.")
    ] = "step",
    whole: Annotated[bool, typer.Option("--all", help="Also the settings that are the same.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Compare trainings: metrics, and the settings in which they differ."""
    with opened(home) as studio:
        chosen, along = comparison.runs_of(studio, jobs), comparison.axis(by)
        figures = _figures(studio, chosen)
        settings = [entry for entry in comparison.settings(chosen) if whole or not entry.same]
        rows: list[dict[str, Any]] = [
            {"setting": ".".join(entry.path), **_by_run(chosen, entry.values)} for entry in settings
        ]
        if as_json:
            curves = comparison.curves(studio, chosen, along)
            print_json(
                {
                    "runs": figures,
                    "settings": rows,
                    "by": along,
                    "curves": curves.lines,
                    "without_curves": curves.without,
                }
            )
            return
    print_rows(figures, ["run", "name", "state", "step", *comparison.headline(chosen)])
    print()
    if rows:
        print_rows(rows, ["setting", *_by_run(chosen, chosen)])
    else:
        print(text("comparison.alike"))


def _figures(studio: Studio, jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Each run with the means of its last reports, and of how many."""
    recent = comparison.figures(studio, jobs)
    return [
        {
            "run": job.id,
            "name": job.name,
            "state": job.state,
            "step": job.step,
            "reports": recent[job.id].reports if job.id in recent else 0,
            **(recent[job.id].means if job.id in recent else {}),
        }
        for job in jobs
    ]


def _by_run(jobs: Sequence[Job], values: Sequence[Any]) -> dict[str, Any]:
    return {str(job.id): value for job, value in zip(jobs, values, strict=True)}
