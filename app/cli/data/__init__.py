"""``data``: bring files in, look at them, improve them, take them out. One file for each group of commands."""

from __future__ import annotations

import typer

from app.cli.data import adding, files, look, operations, out, report

cli = typer.Typer(help="Datasets: import, inspect, improve and export.")

for group in (adding, files, look, report, operations, out):
    group.add_to(cli)
