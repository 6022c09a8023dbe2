"""``label judge | judges``: models that judge in advance, and how far they agree with people."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from app.cli.output import AsJson, Home, opened, print_json, print_rows
from app.cli.waiting import watch
from studio_core.base.states import State
from studio_core.labeling import judges, projects
from studio_core.labeling.judges import Judge
from studio_core.models import registry
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.reasons import ending
from studio_core.texts import text

Project = Annotated[str, typer.Option(help="Name or number of the project.")]


def add_to(cli: typer.Typer) -> None:
    cli.command("judge")(judge)
    cli.command("judges")(judges_)


def judge(
    project: Project,
    service: Annotated[str, typer.Option(help="Service used as judge.")] = "",
    model: Annotated[str, typer.Option(help="Model or reward model used as judge.")] = "",
    name: Annotated[str, typer.Option(help="Name of the judge (default: the model or service).")] = "",
    rubric: Annotated[str, typer.Option(help="Criteria for the judge (default: general quality).")] = "",
    limit: Annotated[int | None, typer.Option(help="Maximum number of pairs.", min=1)] = None,
    wait: Annotated[bool, typer.Option(help="Wait until the judge has finished.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> int:
    """Have an LLM judge compare each pair, in both orders."""
    with opened(home) as studio:
        registry.ensure_demo_models(studio)
        job = judges.start(
            studio, project, model=model, service=service, name=name, rubric=rubric, limit=limit
        )
        ensure_engine(studio)
        if wait:
            job = watch(studio, job.id)
        documents = [document(judge_) for judge_ in judges.of_project(studio, projects.get(studio, project))]
    if as_json:
        print_json({"job": job.id, "state": job.state, "judges": documents})
    elif not wait:
        print(text("cli.data_queued", job=job.id, name=job.name))
    elif job.state != State.SUCCEEDED:
        print(text("cli.data_failed", job=job.id, state=job.state, reason=ending(job)))
    else:
        _print(documents)
    return 0 if not wait or job.state == State.SUCCEEDED else 1


def judges_(project: Project, as_json: AsJson = False, home: Home = None) -> None:
    """Show each judge's agreement with people, and whether its labels may be used."""
    with opened(home) as studio:
        documents = [document(judge) for judge in judges.of_project(studio, projects.get(studio, project))]
    print_json(documents) if as_json else _print(documents)


def _print(documents: list[dict[str, Any]]) -> None:
    print_rows(documents, ["judge", "judged", "swayed", "shared", "agree", "low", "high", "kappa", "usable"])


def document(judge: Judge) -> dict[str, Any]:
    """The same for programs."""
    agreement = judge.agreement
    return {
        "judge": judge.name,
        "judged": sum(judge.counts.values()),
        "counts": judge.counts,
        "swayed": judge.swayed,
        "shared": agreement.of,
        "agree": agreement.rate,
        "low": agreement.low,
        "high": agreement.high,
        "kappa": judge.kappa,
        "missing": judge.missing,
        "usable": not judge.missing,
    }
