"""``arena``: three or more models, rated from what people have said of their answers."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.output import AsJson, Home, opened, print_json, print_rows
from studio_core.labeling import arena as arena_of
from studio_core.models import registry


def arena(
    models: Annotated[str, typer.Option(help="Names of three or more models, separated by commas.")],
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Print Bradley-Terry ratings of the models, with intervals, from all blind votes on pairs of their answers."""
    with opened(home) as studio:
        registry.ensure_demo_models(studio)
        names = [name.strip() for name in models.split(",") if name.strip()]
        found = arena_of.arena(studio, names)
    if as_json:
        print_json(arena_of.document(found))
        return
    print_rows(
        [vars(row) for row in found.standings], ["rank", "last", "model", "rating", "low", "high", "games"]
    )
    print("\n".join(arena_of.sentences(found)))
