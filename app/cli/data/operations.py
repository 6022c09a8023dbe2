"""``data filter | ...``: one command for each operation, made from its description."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.output import AsJson, Home, opened, options_from, print_json
from app.cli.waiting import watch
from studio_core import curation
from studio_core.base.errors import BadInput
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.curation import making
from studio_core.curation.base import Operation
from studio_core.data import store, versions
from studio_core.models import registry
from studio_core.options import OptionField, parsed
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.reasons import ending
from studio_core.runs.spec import DataSpec
from studio_core.texts import text

_TYPES: dict[str, Any] = {
    "int": int,
    "float": float,
    "bool": bool,
    "choice": str,
    "choices": list[str],
    "text": str,
    "prompt": str,
    "numbers": str,
    "json": str,
    "options": list[str],
}

_NAMES = "NAME, or NAME@VERSION for an older version"


def add_to(cli: typer.Typer) -> None:
    for operation in curation.OPERATIONS.values():
        cli.command(operation.name.replace("_", "-"), help=text(operation.help_key))(command(operation))


def command(operation: Operation) -> Callable[..., int]:
    """A function with an argument for each option of the operation."""
    described = operation.fields

    def run(**given: Any) -> int:
        names = given.pop("datasets") if operation.several else [given.pop("dataset")]
        shared = {name: given.pop(name) for name in ("to", "seed", "device", "wait", "as_json", "home")}
        options = {
            field.name: _value(field, given[field.name])
            for field in described
            if given[field.name] not in (None, [])
        }
        spec = DataSpec(
            operation=operation.name,
            datasets=names,
            options=options,
            result=shared["to"] or "",
            seed=shared["seed"],
            device=shared["device"],
        )
        with opened(shared["home"]) as studio:
            registry.ensure_demo_models(studio)
            store.ensure_samples(studio)
            job = making.submit(studio, spec)
            ensure_engine(studio)
            return finished(studio, job, wait=shared["wait"], as_json=shared["as_json"])

    parameters = [_dataset(operation.several), *map(_option, described), *_SHARED]
    # Typer reads a command's options from the signature: this one is made of the operation's fields.
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__name__ = operation.name
    return run


def finished(studio: Studio, job: Job, *, wait: bool, as_json: bool) -> int:
    """Say that the job is queued, or wait for it and say what it made; the exit code."""
    if not wait:
        print_json({"job": job.id}) if as_json else print(text("cli.data_queued", job=job.id, name=job.name))
        return 0
    job = watch(studio, job.id)
    results = versions.of_job(studio, job.id)
    counts = results[0].made["counts"] if results else {}
    document = {
        "job": job.id,
        "state": job.state,
        "cause": job.cause,
        "detail": job.detail,
        "counts": counts,
        "details": results[0].made["details"] if results else {},
        "datasets": [
            {"dataset": result.name, "version": result.version, "shape": result.shape, "rows": result.rows}
            for result in results
        ],
    }
    if as_json:
        print_json(document)
    elif job.state != State.SUCCEEDED:
        print(text("cli.data_failed", job=job.id, state=job.state, reason=ending(job)))
    else:
        for result in results:
            print(text("cli.data_made", name=result.name, version=result.version, rows=result.rows))
        print(", ".join(f"{name.replace('_', ' ')}: {count}" for name, count in counts.items()))
    return 0 if job.state == State.SUCCEEDED else 1


def _parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _dataset(several: bool) -> inspect.Parameter:
    shown = typer.Argument(metavar="DATASET" + ("..." if several else ""), help=f"{_NAMES}.")
    if several:
        return _parameter("datasets", Annotated[list[str], shown])
    return _parameter("dataset", Annotated[str, shown])


def _option(described: OptionField) -> inspect.Parameter:
    help = f"{text(described.title_key)}. {text(described.help_key)}"
    if described.choices:
        help = f"{help} [{', '.join(map(str, described.choices))}]"
    # None, so that what is not typed has the operation's own default and not one of the command line.
    kind = _TYPES[described.kind] | None
    return _parameter(described.name, Annotated[kind, typer.Option(help=help)], None)


def _value(described: OptionField, value: Any) -> Any:
    if described.kind == "options":
        return options_from(value)
    if described.kind not in ("numbers", "json"):
        return value
    # As curl does: a long list is easier to write into a file than into a shell.
    if value[:1] == "@":
        value = _read(described, Path(value[1:]))
    return parsed(described, value)


def _read(described: OptionField, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("cli.option_file", option=described.name, path=path, reason=error) from error


_SHARED = (
    _parameter(
        "to",
        Annotated[
            str | None, typer.Option(help="Name of the result (default: a new version of the first dataset).")
        ],
        None,
    ),
    _parameter("seed", Annotated[int, typer.Option(help="Random seed.")], 0),
    _parameter(
        "device",
        Annotated[str, typer.Option(help="Device for models: auto, cpu or gpu.")],
        "auto",
    ),
    _parameter("wait", Annotated[bool, typer.Option(help="Wait for the job, with a progress bar.")], True),
    _parameter("as_json", AsJson, False),
    _parameter("home", Home, None),
)
