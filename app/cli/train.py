"""``train``: one call is one job, as one click is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.output import AsJson, Home, listed, opened, options_from, print_json
from app.cli.waiting import wait_for
from studio_core import training
from studio_core.base.errors import BadInput
from studio_core.data import store
from studio_core.methods import METHODS
from studio_core.methods.base import PRESETS
from studio_core.models import registry
from studio_core.rewards import OF_TRAININGS, choices
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.spec import TrainSpec
from studio_core.texts import text
from studio_core.tunings import TUNINGS


def _help(field: str, names: Iterable[str] = ()) -> str:
    """What a field of the spec is, with the names that can stand there: ``Preset: quick, balanced or thorough.``"""
    described = TrainSpec.model_fields[field].description or ""
    return f"{described.removesuffix('.')}: {listed(names)}." if names else described


def train(
    method: Annotated[str | None, typer.Option(help=_help("method", METHODS))] = None,
    model: Annotated[str | None, typer.Option(help=_help("model"))] = None,
    dataset: Annotated[str | None, typer.Option(help=_help("dataset"))] = None,
    role: Annotated[
        list[str] | None, typer.Option(help="A further model: ROLE=NAME, such as teacher=NAME. Repeatable.")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(help="A further dataset: ROLE=NAME, such as held_out=NAME. Repeatable."),
    ] = None,
    reward: Annotated[
        list[str] | None,
        typer.Option(help=f"A reward: NAME[:WEIGHT][:SETTING]; {listed(OF_TRAININGS)}. Repeatable."),
    ] = None,
    tuning: Annotated[str | None, typer.Option(help=_help("tuning", TUNINGS))] = None,
    preset: Annotated[str | None, typer.Option(help=_help("preset", PRESETS))] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A training option: NAME=VALUE. Repeatable.")
    ] = None,
    name: Annotated[str | None, typer.Option(help=_help("name"))] = None,
    prompt: Annotated[list[str] | None, typer.Option(help="A fixed prompt. Repeatable.")] = None,
    seed: Annotated[int | None, typer.Option(help=_help("seed"))] = None,
    device: Annotated[str | None, typer.Option(help=_help("device"))] = None,
    gpus: Annotated[int | None, typer.Option(help=_help("gpus"))] = None,
    parallel: Annotated[str | None, typer.Option(help=_help("parallel"))] = None,
    after: Annotated[int | None, typer.Option(help=_help("after"))] = None,
    priority: Annotated[int | None, typer.Option(help=_help("priority"))] = None,
    time_limit: Annotated[float | None, typer.Option(help=_help("time_limit"))] = None,
    retention: Annotated[bool | None, typer.Option(help=_help("retention"))] = None,
    spec: Annotated[
        Path | None, typer.Option(help="YAML file with these options; the command line overrides it.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Show a progress bar until the run ends.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> int:
    """Train a model. Prints the job number; with --wait also state and model."""
    wanted = spec_from(locals())
    with opened(home) as studio:
        # A first command may come before any page was opened.
        registry.ensure_demo_models(studio)
        store.ensure_samples(studio)
        job = training.submit(studio, wanted)
        ensure_engine(studio)
        if not wait:
            if as_json:
                print_json({"job": job.id})
            else:
                print(text("cli.train_queued", job=job.id, name=job.name))
            return 0
        return wait_for(studio, job, as_json)


def spec_from(given: Mapping[str, Any]) -> TrainSpec:
    """What the options of ``train``, by the names of its parameters, ask for; the file's where they say nothing."""
    values: dict[str, Any] = {}
    if (file := given["spec"]) is not None:
        try:
            values = training.values_from_yaml(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise BadInput("cli.file_missing", path=file) from error
    asked = {name: given.get(name) for name in TrainSpec.model_fields if name != "options"}
    asked |= {
        "models": _by_role(given["role"]),
        "data": _by_role(given["data"]),
        "prompts": given["prompt"],
        "rewards": [choices.read(text).model_dump() for text in given["reward"]] if given["reward"] else None,
    }
    # None is "not typed": what the file says stays.
    values.update({name: value for name, value in asked.items() if value is not None})
    options = {**values.get("options", {}), **options_from(given["set_"] or [])}
    return training.spec_from({**values, "options": options})


def _by_role(pairs: list[str] | None) -> dict[str, str] | None:
    """Names by role; as they are written, since a model may be called 1.50."""
    if pairs is None:
        return None
    if odd := [pair for pair in pairs if "=" not in pair]:
        raise BadInput("cli.not_a_pair", value=odd[0])
    return dict(pair.split("=", 1) for pair in pairs)
