"""``data``: bring files in, look at them, improve them, take them out. One file for each group of commands."""

from __future__ import annotations

import typer

from app.cli import keeping
from app.cli.data import adding, files, look, operations, out, report
from studio_core.data import versions
from studio_core.keeping.datasets import DATASETS

cli = typer.Typer(help="Datasets: import, inspect, improve and export.")

for group in (adding, files, look, report, operations, out):
    group.add_to(cli)
# ``search`` is of records already.
keeping.add_to(cli, DATASETS, lambda studio, name: versions.get(studio, name).id, searching="find")
