"""``tunings list | show``: which weights can learn, what each way keeps, and what it cannot do."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from app.cli.described import fields_of, in_lines, line_of, print_part
from app.cli.output import AsJson, print_json, print_rows
from studio_core import tunings
from studio_core.methods import METHODS
from studio_core.texts import text
from studio_core.tunings import TUNINGS
from studio_core.tunings.base import Tuning

cli = typer.Typer(help="Fine-tuning methods: which weights learn, and what each cannot do.")


@cli.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the fine-tuning methods by the names that train --tuning takes."""
    if as_json:
        print_json([document(tuning) for tuning in TUNINGS.values()])
        return
    rows = [{**document(tuning), "help": line_of(tuning)} for tuning in TUNINGS.values()]
    print_rows([*map(in_lines, rows)], ["tuning", "result", "mergeable", "mixes", "cannot", "help"])


@cli.command("show")
def show(
    tuning: Annotated[str, typer.Argument(help="Name of the fine-tuning method.")], as_json: AsJson = False
) -> None:
    """Show one fine-tuning method with its options."""
    shown = document(tunings.named(tuning))
    if as_json:
        print_json(shown)
    else:
        print_part(shown)


def document(tuning: Tuning) -> dict[str, Any]:
    """A way of tuning as other programs read it."""
    return {
        "tuning": tuning.name,
        "title": text(tuning.title_key),
        "help": text(tuning.help_key),
        "result": "model" if tuning.whole else "adapter",
        "mergeable": tuning.merges,
        "mixes": tuning.mixes,
        "cannot": _cannot(tuning),
        # 0: for models of any size.
        "least_parameters": tuning.least,
        "options": fields_of(tuning),
    }


def _cannot(tuning: Tuning) -> list[str]:
    """What it cannot do, whatever the model: in words that stand for options and methods elsewhere."""
    # From the methods' side, since they say what they can be had with.
    excluded = [name for name, method in METHODS.items() if tuning.name not in method.tunings]
    facts = {"packing": tuning.packs, "activation_checkpointing": tuning.checkpoints, "merge": tuning.merges}
    return [*(name for name, able in facts.items() if not able), *(f"method {name}" for name in excluded)]
