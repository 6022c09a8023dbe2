"""``models check | catalogue | find``: what a model is, and whether it fits here, before it is added."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from app.cli.output import AsJson, Home, listed, opened, print_fields, print_json, print_rows, sentence_of
from studio_core.base.errors import BadInput
from studio_core.models import catalogue, checking, hub
from studio_core.models.checking import Checked
from studio_core.training import room
from studio_core.training.room import Need

_MEGABYTE = 1_000_000


def add_to(cli: typer.Typer) -> None:
    for name, command in (("check", check), ("catalogue", list_open), ("find", find)):
        cli.command(name)(command)


def check(
    source: Annotated[str, typer.Argument(help="Folder, or a Hub name: OWNER/NAME.")],
    as_json: AsJson = False,
    home: Home = None,
) -> int:
    """Say what a model is, and whether it can be used here. Nothing is downloaded or added."""
    with opened(home) as studio:
        checked = checking.check(studio, source)
        needs = room.of(room.here(studio), checked.inspected)
    document = _checked(checked, needs)
    if as_json:
        print_json(document)
    else:
        print_fields({name: value for name, value in document.items() if name not in ("memory", "problems")})
        print()
        print_rows([_row(need) for need in needs], ["use", "memory", "fits"])
        for problem in document["problems"]:
            print(problem)
    return 2 if checked.problems else 0


def list_open(
    purpose: Annotated[str, typer.Option(help=f"Only for {listed(catalogue.PURPOSES)}.")] = "",
    fits: Annotated[str, typer.Option(help=f"Only what fits here for {listed(room.WAYS)}.")] = "",
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """List well-known open models, the smallest first, with the memory that they need here."""
    for option, value, known in (("purpose", purpose, catalogue.PURPOSES), ("fits", fits, room.WAYS)):
        if value and value not in known:
            raise BadInput("catalogue.unknown", option=option, value=value, known=", ".join(known))
    with opened(home) as studio:
        machine = room.here(studio)
        here = checking.sources(studio)
    fitting = room.fitting(machine, catalogue.for_purpose(purpose), fits)
    if as_json:
        print_json(
            [
                {
                    **model.model_dump(),
                    "model": here.get(model.name.lower()),
                    "memory": {need.way: asdict(need) for need in needs},
                }
                for model, needs in fitting
            ]
        )
        return
    rows = [
        {
            "model": model.name,
            "purposes": ", ".join(model.purposes),
            "parameters": model.parameters,
            "context": model.context,
            "licence": model.licence,
            **{need.way: _fit(need) for need in needs},
        }
        for model, needs in fitting
    ]
    print_rows(rows, ["model", "purposes", "parameters", "context", "licence", *room.WAYS])


def find(
    words: Annotated[str, typer.Argument(help="Words of the model's name.")],
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Search the Hub for text generation models, those with most downloads first."""
    with opened(home) as studio:
        here = checking.sources(studio)
    rows = [{**asdict(hit), "model": here.get(hit.name.lower())} for hit in hub.find(words)]
    if as_json:
        print_json(rows)
    else:
        print_rows(rows, ["name", "parameters", "licence", "gated", "safetensors", "downloads", "model"])


def _checked(checked: Checked, needs: list[Need]) -> dict[str, Any]:
    found = checked.inspected
    return {
        "source": checked.source,
        "on_hub": checked.on_hub,
        "model": checked.known_as or None,
        "architecture": found and found.architecture,
        "supported": checked.supported,
        "parameters": found and found.parameters,
        "precision": found and found.precision,
        "context": found and found.max_length,
        "chat_template": found and found.chat_template,
        "own_code": found and found.own_code,
        "quantised": found and found.quantised,
        "licence": checked.licence or None,
        "gated": checked.gated or None,
        "bytes": found and found.bytes,
        "download": checked.download,
        "free": checked.free,
        "memory": {need.way: asdict(need) for need in needs},
        "problems": [sentence_of(problem) for problem in checked.problems],
    }


def _row(need: Need) -> dict[str, Any]:
    return {"use": need.way, "memory": f"{need.bytes / _MEGABYTE:.0f} MB", "fits": need.fit}


def _fit(need: Need) -> str:
    return f"{need.bytes / _MEGABYTE:.0f} MB {need.fit}"
