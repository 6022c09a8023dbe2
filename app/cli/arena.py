"""``arena``: three or more models, rated from what people have said of their answers."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.label_create import Wait, tell_start
from app.cli.output import AsJson, Home, opened, print_json, print_rows
from studio_core.data import store, versions
from studio_core.labeling import arena as arena_of
from studio_core.labeling import making
from studio_core.models import registry


def arena(
    models: Annotated[str, typer.Option(help="Three or more model names, separated by commas.")],
    prompts: Annotated[
        str | None,
        typer.Option(help="Start a comparison on this dataset's prompts: NAME or NAME@VERSION."),
    ] = None,
    project: Annotated[str, typer.Option(help="With --prompts: name of the new project.")] = "",
    votes: Annotated[int, typer.Option(help="With --prompts: votes per pair.", min=1, max=20)] = 1,
    limit: Annotated[int, typer.Option(help="With --prompts: maximum number of prompts.", min=1)] = 100,
    wait: Wait = False,
    as_json: AsJson = False,
    home: Home = None,
) -> int:
    """Print Bradley-Terry ratings with confidence intervals, from all blind votes on the models' answers."""
    with opened(home) as studio:
        registry.ensure_demo_models(studio)
        store.ensure_samples(studio)
        names = [name.strip() for name in models.split(",") if name.strip()]
        if prompts is not None:
            dataset = versions.get(studio, prompts)
            prompts_ = making.prompts_of_dataset(studio, dataset, limit=limit)
            project_, job = arena_of.start(
                studio, names, prompts_, name=project, dataset_id=dataset.id, votes=votes
            )
            return tell_start(studio, project_, job, wait, as_json)
        ratings = arena_of.arena(studio, names)
    if as_json:
        print_json(arena_of.document(ratings))
        return 0
    print_rows(
        [vars(row) for row in ratings.standings], ["rank", "last", "model", "rating", "low", "high", "games"]
    )
    print("\n".join(arena_of.sentences(ratings)))
    return 0
