"""NexusBench: function calls against the tools of real services, one benchmark for each.

Nexusflow 2024, "NexusBench". Its program keeps no answers: in the end it prints a table with a line for each benchmark
and its accuracy, which is all that can be read. So an item here is a whole benchmark, and their number is small.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from studio_core.suites.base import Source, Suite, unscored
from studio_core.suites.benchmarks.base import LOG, SCORED_BY, Benchmark, Outcome, share

_TITLE, _AVERAGE = "Benchmark Results:", "Average"


def read(folder: Path) -> Iterator[Outcome]:
    """The lines of the table. Raises ``ValueError`` where there is none, ``KeyError`` without the column Accuracy."""
    _, title, table = (folder / LOG).read_text(encoding="utf-8", errors="replace").rpartition(_TITLE)
    lines = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in table.splitlines()]
    heads, *rows = [cells for cells in lines if len(cells) > 1] or [[]]
    if not title or not rows:
        raise ValueError("no table of results")
    for row in rows:
        values = dict(zip(heads, row, strict=True))
        if values["Benchmark"] != _AVERAGE:
            told = "; ".join(f"{name} {value}" for name, value in values.items() if name != "Benchmark")
            yield Outcome(
                values["Benchmark"], (share(float(values["Accuracy"].rstrip("%")) / 100),), told=told
            )


NEXUSBENCH = Suite(
    "nexusbench",
    unscored,
    scored_by=SCORED_BY,
    max_tokens=0,
    benchmark=Benchmark(
        program="nexusbench",
        arguments=(
            *("--client", "OpenAI", "--base_url", "{address}", "--api_key", "{key}", "--model", "{model}"),
            *("--suite", "all", "--num_samples_parallel", "1", "--num_benchmarks_parallel", "1"),
        ),
        limit=("--limit", "{limit}"),
        read=read,
        install="git clone https://github.com/nexusflowai/NexusBench; python3 -m venv nexusbench; "
        "nexusbench/bin/pip install ./NexusBench",
        setting='{"nexusbench": ["/opt/nexusbench/bin/nexusbench"]}',
    ),
    source=Source("", about="https://github.com/nexusflowai/NexusBench"),
)
