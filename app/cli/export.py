"""``export``: a model as files for another program."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from app.cli.output import AsJson, Home, listed, opened, options_from, print_json
from app.cli.waiting import watch
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.base.validation import validate
from studio_core.exports import FORMATS, results, submitting
from studio_core.models import registry
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.reasons import ending
from studio_core.runs.spec import ExportSpec
from studio_core.texts import DEFAULT_LANGUAGE, text


def export(
    model: Annotated[str, typer.Argument(help="Model: a name, a folder, or run:N for the result of run N.")],
    format: Annotated[str, typer.Option("--format", help=f"Format: {listed(FORMATS)}.")] = "gguf",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="An option of the format: NAME=VALUE, such as type=F16. Repeatable."),
    ] = None,
    suite: Annotated[str, typer.Option(help="Suite whose questions original and result answer.")] = "sums",
    prompts: Annotated[int, typer.Option(help="How many of its questions; 0: no comparison.")] = 120,
    max_tokens: Annotated[int, typer.Option(help="Most tokens of an answer.")] = 64,
    name: Annotated[str, typer.Option(help="Job name; generated if empty.")] = "",
    device: Annotated[str, typer.Option(help="Device: auto, cpu or gpu.")] = "auto",
    after: Annotated[int | None, typer.Option(help="Start after this job has succeeded.")] = None,
    priority: Annotated[int, typer.Option(help="Higher starts first.")] = 0,
    wait: Annotated[bool, typer.Option("--wait", help="Show a progress bar until the job ends.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> int:
    """Export a model for another program, and compare its answers with the original's. Prints the job number."""
    spec = validate(
        ExportSpec,
        {
            "model": model,
            "format": format,
            "options": options_from(set_ or []),
            "suite": suite,
            "prompts": prompts,
            "max_tokens": max_tokens,
            "name": name,
            "device": device,
            "after": after,
            "priority": priority,
        },
        "model_exports.invalid",
    )
    with opened(home) as studio:
        registry.ensure_demo_models(studio)
        job = submitting.submit(studio, spec)
        ensure_engine(studio)
        if wait:
            return _print_result(studio, watch(studio, job.id), as_json)
    if as_json:
        print_json({"job": job.id})
    else:
        print(text("cli.train_queued", job=job.id, name=job.name))
    return 0


def _print_result(studio: Studio, job: Job, as_json: bool) -> int:
    """What came of it, with where its files are. 0 if it succeeded, else 1."""
    manifest = results.of_job(job)
    if as_json:
        print_json(
            {"job": job.id, "state": job.state, "cause": job.cause, "detail": job.detail, **_document(job)}
        )
    elif manifest is not None:
        parity = manifest.parity.sentence() if manifest.parity else text("model_exports.not_compared")
        folder = results.folder_of(job)
        print(
            text(
                "cli.model_exported",
                model=manifest.model,
                format=manifest.format,
                folder=folder,
                parity=parity,
            )
        )
    else:
        print(ending(job, DEFAULT_LANGUAGE) or job.state, file=sys.stderr)
    return 0 if job.state == State.SUCCEEDED else 1


def _document(job: Job) -> dict[str, Any]:
    manifest = results.of_job(job)
    if manifest is None:
        return {}
    folder = results.folder_of(job)
    files = [
        {"file": name, "path": folder / name, "size": file.size, "sha256": file.sha256}
        for name, file in manifest.files.items()
    ]
    return {
        "model": manifest.model,
        "format": manifest.format,
        "folder": folder,
        # The largest is the weights, which is what is meant by the file.
        "file": max(files, key=lambda file: file["size"])["path"] if files else None,
        "files": files,
        "parity": manifest.parity.model_dump() if manifest.parity else None,
        "manifest": folder / results.MANIFEST,
    }
