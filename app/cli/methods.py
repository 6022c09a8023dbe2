"""``methods list | show``: what a training can be of, with every option."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from app.cli.described import fields_of, in_lines, line_of, print_part
from app.cli.output import AsJson, print_json, print_rows
from studio_core import methods
from studio_core.methods import METHODS
from studio_core.methods.base import Method
from studio_core.texts import text

cli = typer.Typer(help="Training methods: the models and the data that each takes, and its options.")


@cli.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the training methods by the names that train --method takes."""
    if as_json:
        print_json([document(method) for method in METHODS.values()])
        return
    rows = [{**document(method), "help": line_of(method)} for method in METHODS.values()]
    print_rows([*map(in_lines, rows)], ["method", "makes", "shapes", "tunings", "help"])


@cli.command("show")
def show(
    method: Annotated[str, typer.Argument(help="Name of the training method.")], as_json: AsJson = False
) -> None:
    """Show one training method with its options: default, range, unit and what each does."""
    shown = document(methods.named(method))
    if as_json:
        print_json(shown)
    else:
        print_part(shown)


def document(method: Method) -> dict[str, Any]:
    """A method as other programs read it."""
    return {
        "method": method.name,
        "title": text(method.title_key),
        "help": text(method.help_key),
        # What is to come of it decides what can be done with the result: a scorer is not chatted with.
        "makes": "writer" if method.writes else "scorer",
        "shapes": [str(shape) for shape in method.shapes],
        "tunings": list(method.tunings),
        "roles": [
            {
                "role": role.name,
                "learns": role.learns,
                # Those that are not named begin as another model or are the one that learns.
                "named_by": "--model" if role is method.result else _flag(method, role.name),
                "begins_as": role.begins_as,
                "optional": role.optional,
            }
            for role in method.roles
        ],
        "data": [f"--data {role}=NAME" for role in method.data],
        "options": fields_of(method),
    }


def _flag(method: Method, role: str) -> str | None:
    return f"--role {role}=NAME" if role in method.named_roles else None
