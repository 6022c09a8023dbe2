"""``address``: where other programs ask models, in the form that OpenAI's clients speak."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from app.cli.output import AsJson, Home, opened, print_json
from studio_core.base.errors import StudioError
from studio_core.base.studio import Studio
from studio_core.generation import serving
from studio_core.generation.serving import Address
from studio_core.models import registry
from studio_core.runs.spec import ResolvedModel
from studio_core.texts import text

# So that a worker that ended by itself is back before a benchmark has tried again for long.
_AGAIN_SECONDS = 15.0


def address(
    model: Annotated[
        list[str] | None, typer.Option(help="A model by name. Repeatable; default: all that write answers.")
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Print and leave; it closes when idle (TUNESMITH_SERVE_IDLE).")
    ] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> int:
    """Open an OpenAI-compatible address on this machine for other programs; prints its base URL and its key."""
    with opened(home) as studio:
        registry.ensure_demo_models(studio)
        models = [registry.resolve(studio, name) for name in model] if model else _all(studio)
        shown: Address | None = None
        while True:
            current = serving.offer(studio, models)
            if current != shown:
                _show(current, models, as_json, once)
                shown = current
            if once:
                return 0
            # A quarter, so that a request that is late does not cost the worker.
            time.sleep(min(_AGAIN_SECONDS, studio.settings.serve_idle / 4))


def _all(studio: Studio) -> list[ResolvedModel]:
    """Every model that writes answers; one whose files are gone is named on stderr."""
    models = []
    for row in registry.all_models(studio):
        if registry.scores(row):
            continue
        try:
            models.append(registry.resolve_row(studio, row))
        except StudioError as error:
            print(text("cli.address_left_out", reason=error.sentence()), file=sys.stderr)
    return models


def _show(current: Address, models: list[ResolvedModel], as_json: bool, once: bool) -> None:
    names = [model.name for model in models]
    if as_json:
        print_json({"base_url": current.openai_url, "api_key": current.token, "models": names})
    else:
        # As a shell reads them: OpenAI's clients look for these two.
        print(f"export OPENAI_BASE_URL={current.openai_url}")
        print(f"export OPENAI_API_KEY={current.token}")
    sys.stdout.flush()
    if not once:
        print(text("cli.address_open", models=", ".join(names)), file=sys.stderr)
