"""Checkpoints that can be trusted: whole ones only, the newest two, never none.

The trainer writes the files; a folder counts as a checkpoint once its manifest is there, which is
written last. So a kill at any moment leaves the checkpoint before.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from studio_core.base import atomic
from studio_core.base.errors import BadInput
from studio_core.runs import run_folder

KEPT = 2
"""The newest, and the one before in case a power cut tears the newest while it is written."""


def begin(run_dir: Path, resume_from: str | None) -> None:
    """Check the checkpoint to resume from, and remove what an earlier try left in this folder after it."""
    step = 0
    if resume_from:
        folder = Path(resume_from)
        listed = {c.path.resolve(): c for c in run_folder.checkpoints(folder.parent.parent)}
        found = listed.get(folder.resolve())
        if found is None or not found.complete:
            problem = found.problem if found else "not there"
            raise BadInput("methods.bad_checkpoint", path=resume_from, reason=problem)
        step = found.step if folder.parent.parent.resolve() == run_dir.resolve() else 0
    for checkpoint in run_folder.checkpoints(run_dir):
        if checkpoint.step > step:
            shutil.rmtree(checkpoint.path)


def complete(run_dir: Path, step: int) -> tuple[Path, int]:
    """Declare the checkpoint of ``step`` complete and remove superseded ones; its folder and bytes."""
    folder = run_dir / run_folder.CHECKPOINTS / f"checkpoint-{step}"
    size = run_folder.write_manifest(folder, step)
    atomic.sync_folder(folder.parent)
    whole = [checkpoint for checkpoint in run_folder.checkpoints(run_dir) if checkpoint.complete]
    oldest_kept = whole[-KEPT:][0].step
    for checkpoint in run_folder.checkpoints(run_dir):
        if checkpoint.step < oldest_kept:
            shutil.rmtree(checkpoint.path)
    return folder, size
