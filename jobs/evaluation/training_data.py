"""Once all is answered: which of the questions stand in the data that led to the models, kept for the report."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from studio_core.base.errors import StudioError
from studio_core.evaluation import items_file, standing
from studio_core.runs.spec import EvalRun, ResolvedDataset

log = logging.getLogger(__name__)

LIGHT = 8 << 20
"""Bytes of a dataset that is looked through where an evaluation may take so much time only: a second or two."""


def look(run: EvalRun, folder: Path, results: Sequence[dict[str, Any]]) -> None:
    """Look where nobody has; a dataset that is gone or cannot be read is told by whoever looks into it again."""
    answers = Path(run.answers)
    for sha256, dataset in {
        each.sha256: each for known in run.trained_on.values() for each in known.values()
    }.items():
        if not Path(dataset.path).is_file() or not _in_time(run, dataset):
            continue
        asked = {
            each["questions"]: standing.questions_of(items_file.read(folder / each["file"]))
            for each in results
            if any(known.sha256 == sha256 for known in run.trained_on.get(each["model"], {}).values())
            and standing.known(answers, each["questions"], dataset) is None
        }
        if not asked:
            continue
        try:
            standing.look(answers, asked, dataset)
        except (StudioError, OSError, ValueError) as error:
            log.warning("%s@%s was not looked through: %s", dataset.name, dataset.version, error)


def _in_time(run: EvalRun, dataset: ResolvedDataset) -> bool:
    return run.spec.seconds is None or Path(dataset.path).stat().st_size <= LIGHT
