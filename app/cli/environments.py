"""``environments list``: the tools that a model can call while it learns from rewards."""

from __future__ import annotations

from typing import Any

import typer

from app.cli.output import AsJson, print_json, print_rows
from studio_core.environments import ENVIRONMENTS
from studio_core.environments.base import Environment
from studio_core.texts import text

cli = typer.Typer(help="Environments: tools that a model can call while it learns from rewards.")


@cli.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the environments by the names that the option environment takes, with their tools."""
    rows = [document(environment) for environment in ENVIRONMENTS.values()]
    if as_json:
        print_json(rows)
    else:
        names = [
            {**row, "tools": ", ".join(tool["function"]["name"] for tool in row["tools"])} for row in rows
        ]
        print_rows(names, ["environment", "tools", "help"])


def document(environment: Environment) -> dict[str, Any]:
    """An environment as other programs read it."""
    return {
        "environment": environment.name,
        "title": text(environment.title_key),
        "help": text(environment.help_key),
        "tools": [tool.definition for tool in environment.tools],
    }
