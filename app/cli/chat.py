"""``chat``: one prompt to several models."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.output import AsJson, Home, opened, print_json
from studio_core.base.errors import BadInput
from studio_core.chat import chats
from studio_core.generation.sampling import limits
from studio_core.models import registry


def chat(
    models: Annotated[str, typer.Option(help="Model names, separated by commas.")],
    prompt: Annotated[str, typer.Option(help="Prompt to send.")],
    system: Annotated[str, typer.Option(help="System prompt.")] = "",
    temperature: Annotated[
        float, typer.Option(help="Sampling temperature; 0: greedy decoding.", **limits("temperature"))
    ] = 0.0,
    top_p: Annotated[float, typer.Option(help="Top-p (nucleus) sampling.", **limits("top_p"))] = 1.0,
    seed: Annotated[int, typer.Option(help="Sampling seed.", **limits("seed"))] = 0,
    length: Annotated[int, typer.Option(help="Maximum number of new tokens.", **limits("max_tokens"))] = 256,
    as_json: AsJson = False,
    home: Home = None,
) -> int:
    """Send one prompt to several models, with the same sampling settings and seed."""
    names = [name.strip() for name in models.split(",") if name.strip()]
    if not names:
        raise BadInput("cli.no_models")
    with opened(home) as studio:
        registry.ensure_demo_models(studio)
        settings = chats.ChatSettings(
            system=system, temperature=temperature, top_p=top_p, seed=seed, max_tokens=length
        )
        answers = chats.ask_once(studio, names, prompt, settings)
    if as_json:
        print_json(answers)
    else:
        for answer in answers:
            print(f"[{answer['model']}] {answer['answer'] or answer.get('error')}")
    return 1 if any(answer.get("error") for answer in answers) else 0
