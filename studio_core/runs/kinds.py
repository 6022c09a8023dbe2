"""Kinds of jobs, a row each: what queue, engine, worker and pages do for one and not for another.

A new kind is a row here, the script that carries it out, and the view of its page (``app/pages/runs.py``). What a
kind needs of rooms above this one is named (``module:function``) and imported when it is called: runs know none of
those who use them.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from studio_core.runs.spec import DataRun, EvalRun, ExportRun, MergeRun, PushRun, RunSpec, ServeSpec


@dataclass(frozen=True)
class Kind:
    name: str
    spec: type[BaseModel]
    """What ``spec.json`` holds."""
    script: str
    """``(run_dir)`` -> exit code or None: carries it out, in a worker."""
    slot: str = ""
    """The kind of slot that it takes; empty: the device that it asks for."""
    resume: str = ""
    """``(studio, job_id, key)`` -> job: goes on from one that ended. Empty: cannot be resumed."""
    register: str = ""
    """``(studio, job, result)``: makes its result known to the studio once it has succeeded."""
    follow: str = ""
    """``(studio, job)``: queues what follows once its result is registered. An error in it does the run no harm."""
    ended: str = ""
    """``(studio, job, state)``: what its end leads to, however it ended; called before that is stored, and perhaps
    twice. An error in it does the run no harm."""
    store: str = ""
    """``(session, job, events)``: keeps events of its own, in the transaction that moves the offset."""
    discard: str = ""
    """``(job)``: removes what it leaves behind, however it ended."""
    service: bool = False
    """It works for others until it is idle or asked to stop: no pause holds it back, no list shows it, and its end is
    a success though it makes nothing."""
    tracked: bool = False
    """It is sent to the trackers that are on."""
    nice: bool = False
    """It computes for so long that on a CPU the pages go first."""


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "train",
            RunSpec,
            script="jobs.training.start:main",
            resume="studio_core.training.history:resume",
            register="studio_core.models.registry:register_result",
            follow="studio_core.evaluation.retention:after",
            ended="studio_core.training.sweeps:go_on",
            tracked=True,
            nice=True,
        ),
        Kind(
            "data",
            DataRun,
            script="jobs.curation.main:main",
            resume="studio_core.curation.making:resume",
            register="studio_core.curation.making:register_result",
            store="studio_core.labeling.writing:store",
            discard="studio_core.curation.making:discard",
        ),
        Kind(
            "merge",
            MergeRun,
            script="jobs.merging:main",
            resume="studio_core.models.merging:resume",
            register="studio_core.models.merging:register_result",
            discard="studio_core.models.merging:discard",
            nice=True,
        ),
        Kind(
            "evaluate",
            EvalRun,
            script="jobs.evaluation.main:main",
            resume="studio_core.evaluation.submitting:resume",
            register="studio_core.evaluation.results:register",
            nice=True,
        ),
        Kind(
            "export",
            ExportRun,
            script="jobs.export.main:main",
            resume="studio_core.exports.submitting:resume",
            discard="studio_core.exports.results:discard",
            nice=True,
        ),
        Kind("push", PushRun, script="jobs.pushing:main", resume="studio_core.exports.pushing:resume"),
        Kind("serve", ServeSpec, script="jobs.generation.server:main", slot="serve", service=True),
    )
}

SERVICES = tuple(kind.name for kind in KINDS.values() if kind.service)
LISTED = tuple(kind.name for kind in KINDS.values() if not kind.service)
"""Those that the Runs page lists, in its order."""


def kind_of(name: str) -> Kind:
    """The row of a kind. Of one that this version does not have nothing is known but its name."""
    # The list of runs must open with a job of a newer version in it.
    return KINDS.get(name) or Kind(name, BaseModel, script="")


def call(function: str, *given: Any, **named: Any) -> Any:
    """What a row names, called; None if it names nothing."""
    return load(function)(*given, **named) if function else None


def load(function: str) -> Callable[..., Any]:
    """The function of a name ``module:function``."""
    loaded: Callable[..., Any] = pkgutil.resolve_name(function)
    return loaded
