"""``models list | add``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from app.cli.output import AsJson, Home, opened, print_json, print_rows
from app.cli.passwords import FromStdin, asked_password
from app.log_file import logged_to_file
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Model
from studio_core.models import own_code, registry
from studio_core.models.own_code import Consent
from studio_core.people import accounts
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
        str, typer.Argument(help="Folder with config.json, tokenizer.json and *.safetensors, or a Hub name.")
    ],
    name: Annotated[str | None, typer.Option(help="Model name (default: the folder's name).")] = None,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Allow the model to run its own Python code.")
    ] = False,
    administrator: Annotated[
        str, typer.Option(help="With accounts, the administrator who allows it; asks for the password.")
    ] = "",
    password_stdin: FromStdin = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Add a base model. Its files are checked, never run."""
    with opened(home) as studio, logged_to_file(studio.settings):
        # Asked before the model is fetched: who may not allow it need not wait for gigabytes.
        code = _consent(studio, source, administrator, password_stdin) if trust_remote_code else None
        model = registry.add(studio, source, name=name, own_code=code)
    document = _summary(model, {})
    if as_json:
        print_json(document)
    else:
        print(text("cli.model_added", **document))


def _consent(studio: Studio, source: str, administrator: str, password_stdin: bool) -> Consent:
    """Of whoever calls the command; with accounts, of the administrator who gives the password."""
    if not accounts.any_accounts(studio):
        return own_code.consent(studio, source, accounts.LOCAL)
    if not administrator:
        raise BadInput("models.code_whose")
    account = accounts.account_of(accounts.find(studio, administrator))
    return own_code.consent(studio, source, account, password=asked_password(password_stdin))


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
