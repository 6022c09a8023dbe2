"""``handover``: a run as a folder for another trainer."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.output import AsJson, Home, listed, opened, print_json
from studio_core.handover import TRAINERS, named, readme
from studio_core.handover.writing import Handover, hand_over
from studio_core.texts import text


def handover(
    run: Annotated[int, typer.Argument(help="Number of the training.")],
    to: Annotated[str, typer.Option("--to", help=f"Trainer: {listed(TRAINERS)}.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write, which must not exist; default: run-RUN-TRAINER here."),
    ] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Write a run as a folder for another trainer: data, configuration, script, README. Starts nothing."""
    trainer = named(to)
    with opened(home) as studio:
        written = hand_over(studio, run, trainer, (out or Path(f"run-{run}-{trainer.name}")).absolute())
    if as_json:
        print_json(asdict(written))
        return
    for line in _sentences(written):
        print(line)


def _sentences(written: Handover) -> list[str]:
    """What was written, and what is not the same there."""

    def say(key: str, **values: Any) -> str:
        return text(f"handover.{key}", **values)

    title = named(written.trainer).title
    sentences = [say("written", run=written.run, folder=written.folder, rows=sum(written.rows.values()))]
    if written.without:
        options = ", ".join(f"{name}={value}" for name, value in written.without.items())
        sentences.append(say("says_without", trainer=title, options=options))
    if written.nearest:
        both = ", ".join(f"{name}: {own} -> {there}" for name, (own, there) in written.nearest.items())
        sentences.append(say("says_nearest", trainer=title, options=both))
    if written.left_out:
        sentences.append(readme.lost(written.left_out, say))
    if written.not_rendered:
        sentences.append(say("compare.not", reason=written.not_rendered))
    return sentences
