"""``sweep``: a training over values of its options; the options of ``train``, some of them with several values."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from app.cli.output import AsJson, Home, opened, options_from, print_json, print_rows, sentence_of
from app.cli.train import spec_from, train
from studio_core.base.studio import Studio
from studio_core.data import store
from studio_core.models import registry
from studio_core.runs.engine_process import ensure_engine
from studio_core.texts import text
from studio_core.training import standings, sweeps
from studio_core.training.sampling import has_range
from studio_core.training.sweeps import SweepPlan

Name = Annotated[str, typer.Argument(metavar="SWEEP", help="Name of the sweep, as sweep printed it.")]
By = Annotated[str, typer.Option(help="Metric to order by (default: held-out loss, else the method's).")]


def sweep(
    seeds: Annotated[
        int, typer.Option(help="Runs of each combination, which differ in their seed.", min=1, max=20)
    ] = 1,
    pairing: Annotated[
        str,
        typer.Option(
            help="grid: every value with every other; list: the first of each, then the second; random: drawn from "
            "ranges and values; tpe: drawn by what came out best so far. A range: --set learning_rate=1e-5..1e-3."
        ),
    ] = "grid",
    trials: Annotated[
        int, typer.Option(help="Runs that random and tpe draw.", min=1, max=sweeps.MOST_RUNS)
    ] = 20,
    metric: Annotated[
        str, typer.Option(help="What tpe goes by (default: held-out loss, else the method's).")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say how many runs, how long, how much disk.")
    ] = False,
    **given: Any,
) -> int:
    """Train over several values of options: --set learning_rate=1e-4,3e-4. Prints the name of the sweep."""
    values, single = values_from(given["set_"] or [])
    run = spec_from({**given, "set_": single})
    spec = sweeps.spec_of(run, values, pairing, seeds, trials=trials, metric=metric)
    with opened(given["home"]) as studio:
        registry.ensure_demo_models(studio)
        store.ensure_samples(studio)
        told = sweeps.plan(studio, spec)
        if dry_run:
            _print_plan(told, given["as_json"])
            return 0 if told.ready else 2
        name = sweeps.start(studio, spec)
        ensure_engine(studio)
        jobs = [job.id for job in sweeps.jobs(studio, name)]
    if given["as_json"]:
        print_json({"sweep": name, "jobs": jobs})
    else:
        print(text("sweeps.queued", sweep=name, runs=len(jobs), first=jobs[0], last=jobs[-1]))
    return 0


# Typer reads a command from its signature: the options are those of ``train``, told once, and those of its own.
_TRAIN, _OWN = inspect.signature(train, eval_str=True), inspect.signature(sweep, eval_str=True)
_SET = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="An option with its values: NAME=VALUE,VALUE. Also tuning, preset, model, dataset. Repeatable.",
    ),
]
_OPTIONS = [
    option.replace(annotation=_SET) if name == "set_" else option
    for name, option in _TRAIN.parameters.items()
    if name != "wait"
] + [option for name, option in _OWN.parameters.items() if name != "given"]
sweep.__signature__ = _TRAIN.replace(parameters=_OPTIONS)  # type: ignore[attr-defined]
sweep.__annotations__ = {option.name: option.annotation for option in _OPTIONS}


def values_from(pairs: Sequence[str]) -> tuple[dict[str, list[Any]], list[str]]:
    """The values to try by option, and the pairs that have one value only, which all runs share."""
    values = sweeps.read("\n".join(pairs))
    several = {
        name: listed
        for name, listed in values.items()
        if len(listed) > 1 or name in sweeps.FIELDS or has_range(listed)
    }
    return several, [pair for pair in pairs if pair.partition("=")[0].strip() not in several]


def _print_plan(told: SweepPlan, as_json: bool) -> None:
    problems = [{"values": values, "problem": sentence_of(error)} for values, error in told.problems]
    document = {
        "runs": len(told.runs) + told.later,
        "later": told.later,
        "seconds": told.seconds,
        "at_once": told.at_once,
        "disk": told.disk,
        "ready": told.ready,
        "problems": problems,
        "values": [{**values, "seed": run.seed} for values, run in told.runs],
    }
    if as_json:
        print_json(document)
        return
    rows = [{"run": number, **row} for number, row in enumerate(document["values"], 1)]
    print_rows(rows, [*rows[0]])
    hours = "?" if told.seconds is None else f"{told.seconds / told.at_once / 3600:.2g}"
    print(
        text(
            "sweeps.told",
            runs=document["runs"],
            hours=hours,
            disk=f"{told.disk / 1e9:.2g}",
            at_once=told.at_once,
        )
    )
    for one in problems:
        print(f"{one['values']}: {one['problem']}")


def add_to(cli: typer.Typer) -> None:
    """``jobs sweep | stop-losers | clone``: what is done with a sweep that is there."""
    cli.command("sweeps")(list_sweeps)
    cli.command("sweep")(show)
    cli.command("stop-losers")(stop_losers)
    cli.command("clone")(clone)


def list_sweeps(as_json: AsJson = False, home: Home = None) -> None:
    """List sweeps, newest first."""
    with opened(home) as studio:
        rows = [
            {"sweep": name, "first": job.id, "method": job.method, "submitted_at": job.submitted_at}
            for name, job in sweeps.newest(studio)
        ]
    if as_json:
        print_json(rows)
    else:
        print_rows(rows, ["sweep", "first", "method", "submitted_at"])


def show(sweep: Name, metric: By = "", as_json: AsJson = False, home: Home = None) -> None:
    """Show how the runs of a sweep stand, best first, with the spread over seeds."""
    with opened(home) as studio:
        _print_table(studio, sweep, metric, as_json)


def stop_losers(
    sweep: Name,
    keep: Annotated[int, typer.Option(help="So many of the best go on.", min=1)] = 1,
    metric: By = "",
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Stop and save all runs of a sweep but the best; runs without a value yet go on."""
    with opened(home) as studio:
        stopped = [job.id for job in standings.stop_losers(studio, sweeps.jobs(studio, sweep), keep, metric)]
        ensure_engine(studio)
    if as_json:
        print_json({"stopped": stopped})
    else:
        print(text("sweeps.stopped", runs=", ".join(map(str, stopped)), n=len(stopped)))


def clone(
    sweep: Name,
    job: Annotated[int, typer.Argument(metavar="JOB", help="Number of a run of the sweep.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="What is changed: NAME=VALUE. Repeatable.")
    ] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Add a run to a sweep: a copy of one of its runs with changed values."""
    with opened(home) as studio:
        new = sweeps.clone(studio, sweep, job, options_from(set_ or []))
        ensure_engine(studio)
    if as_json:
        print_json({"job": new.id})
    else:
        print(text("cli.train_queued", job=new.id, name=new.name))


def _print_table(studio: Studio, sweep: str, metric: str, as_json: bool) -> None:
    table = standings.table(studio, sweeps.jobs(studio, sweep), metric)
    rows = [
        {
            **row.values,
            table.metric: row.mean,
            "sd": row.spread,
            "seeds": len(row.figures),
            "jobs": [job.id for job in row.jobs],
            "states": [job.state for job in row.jobs],
        }
        for row in table.rows
    ]
    if as_json:
        print_json({"metric": table.metric, "lower_is_better": table.lower, "step": table.step, "rows": rows})
        return
    print_rows(rows, list(dict.fromkeys(name for row in rows for name in row)))
    if table.step is not None:
        print(text("sweeps.at_step", step=table.step))
