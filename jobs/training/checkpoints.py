"""Checkpoints that can be trusted: whole ones only, the newest two and the best, never none.

The trainer writes the files; a folder counts as a checkpoint once its manifest is there, which is
written last. So a kill at any moment leaves the checkpoint before.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from studio_core.base import atomic
from studio_core.base.atomic import read_json
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
    if resume_from and not step:
        _bring_best(run_dir, Path(resume_from))


def folder_of(run_dir: Path, step: int) -> Path:
    """Where the checkpoint of a step is, or would be."""
    return run_dir / run_folder.CHECKPOINTS / f"checkpoint-{step}"


def _best_of(checkpoint: Path) -> int:
    """The step of the best checkpoint up to this one; 0 if the run does not look for one."""
    return int((read_json(checkpoint / run_folder.BEST) or {}).get("step", 0))


def _bring_best(run_dir: Path, resume_from: Path) -> None:
    """Copy the best checkpoint of the run that is gone on from: this run may end with it as its result."""
    if not (best := _best_of(resume_from)):
        return
    source, target = resume_from.parent / f"checkpoint-{best}", folder_of(run_dir, best)
    if not (source / run_folder.MANIFEST).is_file():
        raise BadInput("methods.best_gone", step=best, path=source)
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source, partial)
    partial.rename(target)


def complete(run_dir: Path, step: int) -> tuple[Path, int]:
    """Declare the checkpoint of ``step`` complete and remove superseded ones; its folder and bytes."""
    folder = folder_of(run_dir, step)
    size = run_folder.write_manifest(folder, step)
    atomic.sync_folder(folder.parent)
    whole = [checkpoint for checkpoint in run_folder.checkpoints(run_dir) if checkpoint.complete]
    newest = whole[-KEPT:]
    best = {_best_of(checkpoint.path) for checkpoint in newest}  # A run may go on from either of them.
    for checkpoint in run_folder.checkpoints(run_dir):
        if checkpoint.step < newest[0].step and checkpoint.step not in best:
            shutil.rmtree(checkpoint.path)
    return folder, size
