"""One job on data: ``python -m jobs.worker RUN_DIR`` with a ``DataRun`` in ``spec.json``.

Reads the versions that it names, writes new ones (``output-N.parquet``) and side files into its own
folder, and tells of them in its ``result`` event; the engine registers them.

What is not an operation of ``studio_core.curation`` with a ``run`` of its own is a module here,
``jobs.curation.<operation>``, with ``run(work, options)``.
"""

from __future__ import annotations

import importlib
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jobs.machine import peak_memory
from jobs.progress import Progress
from studio_core import curation
from studio_core.base.atomic import read_json
from studio_core.base.errors import BadInput
from studio_core.curation.base import Source, Stopped, Work, validated
from studio_core.runs.run_folder import SPEC, EventWriter
from studio_core.runs.spec import DataRun


def main(run_dir: Path) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    run = DataRun.model_validate(read_json(run_dir / SPEC))
    events = EventWriter(run_dir)
    events.write("phase", phase="preparing")
    report = Progress(events)
    work = Work(
        folder=run_dir,
        sources=[Source.of(dataset) for dataset in run.datasets],
        seed=run.spec.seed,
        report=report,
        stopping=stop.is_set,
        models=run.models,
        services=Path(run.services) if run.services else None,
        answers=Path(run.answers) if run.answers else None,
        resumed=Path(run.resumed) if run.resumed else None,
        tell=events.write,
    )
    began = time.monotonic()
    events.write("phase", phase="working")
    try:
        outputs = carried_out(run, work)
    except BaseException:
        for output in work.outputs:
            output.abandon()
        raise
    report.last()
    events.write("phase", phase="saving")
    if outputs and not stop.is_set() and not any(output["rows"] for output in outputs):
        raise BadInput("curation.nothing_left", operation=run.spec.operation, counts=said(work.counts))
    events.write(
        "result",
        state="stopped" if stop.is_set() else "succeeded",
        outputs=[output for output in outputs if output["rows"]],
        counts=work.counts,
        details=work.details,
        step=report.done,
        total_steps=report.total,
        seconds=round(time.monotonic() - began, 3),
        peak_memory=peak_memory(),
        side_files=work.side_files,
        **({"report": work.document} if work.document else {}),
    )


def carried_out(run: DataRun, work: Work) -> list[dict[str, Any]]:
    """What was made; nothing if the user stopped it before there was anything to keep."""
    try:
        script(run.spec.operation)(work, run.options)
    except Stopped:
        for output in work.outputs:
            output.abandon()
        return []
    return [output.close() for output in work.outputs]


MODULES = {"import": "importing", "fetch": "fetching"}
"""Modules that cannot or should not be named as their operation is."""


def script(operation: str) -> Callable[[Work, dict[str, Any]], None]:
    """What carries the operation out; the options are validated again, since this is another process."""
    known = curation.OPERATIONS.get(operation)
    module = f"jobs.curation.{MODULES.get(operation, operation)}"
    run = known.run if known and known.run else importlib.import_module(module).run

    return lambda work, options: run(work, validated(known, options) if known else options)


def said(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "-"
