"""``chat``: one prompt to several models."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.output import AsJson, Home, opened, print_json
from studio_core import chats
from studio_core.errors import BadInput
from studio_core.models import registry


def chat(
    models: Annotated[str, typer.Option(help="Names of the models, separated by commas.")],
    prompt: Annotated[str, typer.Option(help="What to ask.")],
    system: Annotated[str, typer.Option(help="System prompt.")] = "",
    temperature: Annotated[
        float, typer.Option(help="0 means the likeliest token always.", min=0, max=2)
    ] = 0.0,
    top_p: Annotated[float, typer.Option(help="Share of probability to sample from.", min=0.01, max=1)] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of the sampling.", min=0)] = 0,
    length: Annotated[int, typer.Option(help="Most tokens of an answer.", min=1, max=4096)] = 256,
    as_json: AsJson = False,
    home: Home = None,
) -> int:
    """Ask the same prompt of several models, with the same sampling and seed."""
    names = [name.strip() for name in models.split(",") if name.strip()]
    if not names:
        raise BadInput("cli.no_models")
    with opened(home) as studio:
        registry.ensure_demo_models(studio)
        settings = chats.ChatSettings(
            system=system, temperature=temperature, top_p=top_p, seed=seed, max_new_tokens=length
        )
        answers = chats.ask_once(studio, names, prompt, settings)
    if as_json:
        print_json(answers)
    else:
        for answer in answers:
            print(f"[{answer['model']}] {answer['answer'] or answer.get('error')}")
    return 1 if any(answer.get("error") for answer in answers) else 0
