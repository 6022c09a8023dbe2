"""``data report``: what is good in a dataset, what to look at, what to do."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from app.cli.data.files import Name
from app.cli.output import AsJson, Home, opened, print_json, print_rows
from app.cli.waiting import watch
from studio_core.base.errors import StudioError
from studio_core.base.states import State
from studio_core.curation import making
from studio_core.data import store
from studio_core.methods.common import TrainingOptions
from studio_core.models import registry
from studio_core.reports import judging
from studio_core.reports.document import Report
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.reasons import ending
from studio_core.texts import text

_LIMIT = int(TrainingOptions.model_fields["max_length"].default)
# What fits a terminal below the summary; --json has all.
_SHOWN = 10


def report(
    name: Name,
    model: Annotated[
        str, typer.Option(help="Model whose tokenizer counts tokens; empty: no token counts.")
    ] = "tiny-chat",
    limit: Annotated[int, typer.Option(help="Max length in tokens.", min=0)] = _LIMIT,
    against: Annotated[
        list[str] | None, typer.Option(help="Dataset to check for shared prompts. Repeatable.")
    ] = None,
    finding: Annotated[
        str | None,
        typer.Option(help="Print the row numbers of records with this issue or verdict (bad, look)."),
    ] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Judge every record: findings, repetitions, lengths, languages, personal data; stored for the next time."""
    with opened(home) as studio:
        registry.ensure_demo_models(studio)
        store.ensure_samples(studio)
        dataset = store.get(studio, name)
        job = making.ask_report(studio, dataset, model, limit, against or [])
        if job is not None:
            ensure_engine(studio)
            job = watch(studio, job.id)
            if job.state != State.SUCCEEDED:
                raise StudioError("cli.data_failed", job=job.id, state=job.state, reason=ending(job))
        report_ = judging.stored_report(studio, dataset, model)
        rows = judging.rows_with(studio, dataset, finding, 0, dataset.rows)[0] if finding else []
    if report_ is None:
        raise StudioError("reports.not_made", dataset=name)
    if finding:
        print_json({"finding": finding, "rows": rows}) if as_json else print("\n".join(map(str, rows)))
    elif as_json:
        print_json(report_.model_dump(mode="json"))
    else:
        _print(report_)


def _print(report: Report) -> None:
    verdicts = report.verdicts
    print(text("reports.cli_verdicts", rows=report.rows, **verdicts.model_dump()))
    rows: list[dict[str, Any]] = [
        {
            "finding": finding.name,
            "severity": finding.severity.value,
            "records": finding.rows,
            "share": f"{finding.share:.2%}",
            "first": ", ".join(map(str, finding.first[:_SHOWN])),
        }
        for finding in report.findings
        if finding.rows
    ]
    if rows:
        print_rows(rows, ["finding", "severity", "records", "share", "first"])
    else:
        print(text("reports.all_good", rows=report.rows))
    if report.tokens and report.tokens.tokens:
        key = "reports.cli_tokens_sampled" if report.tokens.sampled else "reports.cli_tokens"
        over = report.tokens.cut
        print(
            text(
                key,
                model=report.model,
                median=round(report.tokens.tokens.quantiles["0.5"]),
                counted=report.tokens.counted,
                limit=report.limit or "-",
                share=f"{over.share:.2%}" if over else "-",
                low=f"{over.low:.2%}" if over else "-",
                high=f"{over.high:.2%}" if over else "-",
            )
        )
    if report.pairs:
        longer = report.pairs.longer_chosen
        print(
            text(
                "reports.longer_chosen",
                rows=longer.rows,
                of=longer.of,
                share=f"{longer.share:.1%}",
                low=f"{longer.low:.1%}",
                high=f"{longer.high:.1%}",
                equal=report.pairs.equal_length,
            )
        )


def add_to(cli: typer.Typer) -> None:
    cli.command()(report)
