"""``models list | add | merge | push``, and those of ``open_models``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from app.cli import keeping, open_models
from app.cli.output import AsJson, Home, listed, opened, print_json, print_rows
from app.cli.passwords import FromStdin, asked_password
from app.cli.waiting import wait_for
from app.log_file import logged_to_file
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Model
from studio_core.base.validation import validate
from studio_core.exports import pushing
from studio_core.keeping.models import MODELS
from studio_core.models import checking, merging, own_code, registry
from studio_core.models.own_code import Consent
from studio_core.people import accounts
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.spec import MergeSpec
from studio_core.texts import text

cli = typer.Typer(help="Base models, and the models trained here.")


keeping.add_to(cli, MODELS, lambda studio, name: registry.get(studio, name).id)
open_models.add_to(cli)


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
    """Add a base model. It is checked before anything is downloaded; its files are never run."""
    with opened(home) as studio, logged_to_file(studio.settings):
        # Asked before the model is fetched: who may not allow it need not wait for gigabytes.
        code = _consent(studio, source, administrator, password_stdin) if trust_remote_code else None
        model = checking.add(studio, source, name=name, own_code=code)
    document = _summary(model, {})
    if as_json:
        print_json(document)
    else:
        print(text("cli.model_added", **document))


@cli.command("merge")
def merge(
    adapter: Annotated[
        list[str] | None,
        typer.Option(help="A LoRA adapter and its weight: NAME=WEIGHT. Give two or more, on one base model."),
    ] = None,
    by: Annotated[
        str | None, typer.Option(help=f"Merging method: {listed(merging.METHODS)} (default: cat).")
    ] = None,
    density: Annotated[
        float | None, typer.Option(help="Share of the values that ties and dare keep (default: 0.5).")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the new model; generated if empty.")] = "",
    seed: Annotated[int, typer.Option(help="Random seed of dare.")] = 0,
    device: Annotated[str, typer.Option(help="Device: auto, cpu or gpu.")] = "auto",
    wait: Annotated[bool, typer.Option("--wait", help="Show a progress bar until the job ends.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> int:
    """Merge LoRA adapters of one base model into a new adapter. Prints the job number."""
    options = {"method": by, "density": density}
    spec = validate(
        MergeSpec,
        {
            "adapters": _weighted(adapter or []),
            "options": {option: value for option, value in options.items() if value is not None},
            "name": name,
            "seed": seed,
            "device": device,
        },
        "models.merge.invalid",
    )
    with opened(home) as studio:
        job = merging.submit(studio, spec)
        ensure_engine(studio)
        if wait:
            return wait_for(studio, job, as_json)
    if as_json:
        print_json({"job": job.id})
    else:
        print(text("cli.train_queued", job=job.id, name=job.name))
    return 0


@cli.command("push")
def push(
    job: Annotated[int, typer.Argument(help="Number of the export whose files are uploaded.")],
    repo: Annotated[str, typer.Option(help="YOUR-NAME/MODEL on the Hub; created if it does not exist.")],
    public: Annotated[bool, typer.Option("--public", help="Make it public (default: private).")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Upload an exported model and its card to the Hub, with the token of `hf auth login` or HF_TOKEN."""
    with opened(home) as studio:
        result = pushing.push(studio, job, repo, public=public)
    if as_json:
        print_json({"job": job, **asdict(result)})
    else:
        key = "model_exports.pushed_public" if result.public else "model_exports.pushed_private"
        print(text(key, job=job, repo=result.repo), result.url)


def _weighted(pairs: list[str]) -> dict[str, str]:
    """``NAME=WEIGHT`` as weights by name; a name that is given twice is refused, as one weight would be lost."""
    weights: dict[str, str] = {}
    for pair in pairs:
        name, equals, weight = pair.rpartition("=")
        if not equals:
            raise BadInput("models.merge.no_weight", value=pair)
        if name in weights:
            raise BadInput("models.merge.twice", model=name)
        weights[name] = weight
    return weights


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
        "merged_from": registry.merged_from(model),
        "parameters": model.parameters,
        "job": model.job_id,
        "path": model.path,
        "source": model.source,
        "created_at": model.created_at,
    }
