"""``models list | add``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from app.cli.output import AsJson, Home, opened, print_json, print_rows
from studio_core.models import registry
from studio_core.tables import Model
from studio_core.texts import text

cli = typer.Typer(help="Base models, and the models trained here.")


@cli.command("list")
def list_(as_json: AsJson = False, home: Home = None) -> None:
    """List all models, newest first."""
    with opened(home) as studio:
        registry.ensure_demo_models(studio)
        models = registry.all_models(studio)
        names = {model.id: model.name for model in models}
        rows = [_summary(model, names) for model in models]
    if as_json:
        print_json(rows)
    else:
        print_rows(rows, ["model", "kind", "scores", "parent", "parameters", "job", "source"])


@cli.command("add")
def add(
    source: Annotated[
        str, typer.Argument(help="A folder with config, tokenizer and safetensors, or a Hub name.")
    ],
    name: Annotated[str | None, typer.Option(help="Name in the studio; default the folder's name.")] = None,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run the Python code that this model brings along.")
    ] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Add a base model. Its folder is checked first; nothing in it is run."""
    with opened(home) as studio:
        model = registry.add(studio, source, name=name, trust_remote_code=trust_remote_code)
    document = _summary(model, {})
    if as_json:
        print_json(document)
    else:
        print(text("cli.model_added", **document))


def _summary(model: Model, names: dict[int, str]) -> dict[str, Any]:
    return {
        "model": model.name,
        "kind": model.kind,
        "scores": registry.scores(model),
        "parent": names.get(model.parent_id or 0),
        "parameters": model.parameters,
        "job": model.job_id,
        "path": model.path,
        "source": model.source,
        "created_at": model.created_at,
    }
