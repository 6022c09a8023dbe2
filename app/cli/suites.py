"""``suites list | add | fetch``: the questions that models are measured by, and bringing those of a published suite."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.output import AsJson, Home, listed, opened, print_json, print_rows
from app.cli.waiting import watch
from studio_core.base.errors import StudioError
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.curation import suite_fetching
from studio_core.evaluation import browsing
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.reasons import ending
from studio_core.suites import SUITES, Suite, adding, suites_in
from studio_core.suites.benchmarks.base import Benchmark
from studio_core.suites.reading.openai_evals import CLASSES
from studio_core.texts import text

cli = typer.Typer(help="Suites: questions that models are measured by.")


@cli.command("list")
def list_(as_json: AsJson = False, home: Home = None) -> None:
    """List the suites. Questions of published ones are here once their file was added; added ones come last."""
    with opened(home) as studio:
        rows = [document(studio, suite) for suite in suites_in(studio.settings.suites).values()]
    if as_json:
        print_json(rows)
    else:
        _print(rows)


@cli.command("add")
def add(
    name: Annotated[
        str,
        typer.Argument(
            help="A published suite, as `suites list` names it, or a new name for tests of your own."
        ),
    ],
    file: Annotated[
        Path,
        typer.Argument(
            help="Its questions as published: JSON, JSONL, CSV or Parquet, also gzip. Or tests: a document of "
            "promptfoo (YAML or JSON), or samples of OpenAI Evals (JSONL)."
        ),
    ],
    scored_by: Annotated[
        str, typer.Option(help=f"What scores samples of OpenAI Evals: {listed(CLASSES)}.")
    ] = "",
    answers: Annotated[
        Path | None,
        typer.Option(
            help="Its answers, where they are published as a file of their own: accepted ones (bfcl_...), references "
            "(mt_bench), or those of a baseline (alpaca_eval, arena_hard)."
        ),
    ] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Add the questions of a published suite, or tests of your own, from a file. They replace those that are here."""
    with opened(home) as studio:
        row = document(studio, adding.add(studio, name, file, answers, scored_by))
    if as_json:
        print_json(row)
    else:
        _print([row])


@cli.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(help="A published suite, as `suites list` names it.")],
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Download the questions of a published suite from the Hub, as its source is named by `suites list`."""
    with opened(home) as studio:
        job = suite_fetching.fetch(studio, name)
        ensure_engine(studio)
        job = watch(studio, job.id)
        if job.state != State.SUCCEEDED:
            raise StudioError("adding.fetch_failed", reason=ending(job))
        row = document(studio, suite_fetching.add_fetched(studio, name, job.id))
    if as_json:
        print_json(row)
    else:
        _print([row])


def _print(rows: list[dict[str, Any]]) -> None:
    print_rows(rows, ["suite", "title", "questions", "references", "scored_by", "source", "licence"])
    for needs in dict.fromkeys(row["needs"] for row in rows if row["needs"]):
        print(needs)


def _needs(lacking: Benchmark | None) -> str:
    if lacking is None:
        return ""
    given = {"suite": lacking.program, "install": lacking.install, "setting": lacking.setting}
    return text("suites.program_lacking", **given)


def document(studio: Studio, suite: Suite) -> dict[str, Any]:
    """A suite as other programs read it; ``questions`` is null where they are not here, or a program has them.

    ``references`` is how many of them have a published answer, null where a suite has no use for such; ``needs`` says
    what must be installed first; empty: nothing.
    """
    questions = adding.questions_here(studio, suite)
    source = suite.source
    lacking = adding.lacking(studio, suite)
    return {
        "suite": suite.name,
        "title": browsing.title(suite.name),
        "help": text(suite.help_key if suite.name in SUITES else "suites.added.help"),
        "here": questions is not None or bool(suite.benchmark and not lacking),
        "needs": _needs(lacking),
        "questions": questions,
        "references": adding.references_here(studio, suite),
        "scored_by": suite.scored_by,
        "unit": suite.unit,
        "higher_is_better": suite.higher_is_better,
        "samples": suite.samples,
        "source": source and source.hub,
        "split": source and source.split,
        "config": source and source.config,
        "licence": source and source.licence,
        "about": source and source.about,
    }
