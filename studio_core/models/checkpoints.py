"""Checkpoints as models: ``NAME@STEP`` is the model ``NAME`` as it was after so many steps of its training.

A checkpoint becomes a model of its own, with a row, once something is built on it (``registry.find_or_add``).
"""

from __future__ import annotations

import json
from pathlib import Path

from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Model
from studio_core.runs import queue, run_folder
from studio_core.runs.run_folder import Checkpoint

KEY = "checkpoint"
"""In the details of a model that is one: ``{"job": its run, "step"}``."""
_ON_ITS_BASE = (True, False, "gaussian")
"""How a LoRA may begin so that what is saved on the way stands on the base as it is."""


def step_of(name: str) -> int | None:
    """40 of ``poet@40``; None for the name of a model itself."""
    model, _, step = name.rpartition("@")
    return int(step) if model and step.isascii() and step.isdigit() and len(step) < 16 else None


def run_of(model: Model) -> int | None:
    """The run that made the model, or of which it is a checkpoint."""
    return model.job_id if model.job_id is not None else model.details.get(KEY, {}).get("job")


def of_model(studio: Studio, model: Model) -> list[Checkpoint]:
    """The complete checkpoints, of the run that made it, which can be loaded as models; oldest first."""
    job = queue.get(studio, model.job_id) if model.job_id is not None else None
    kept = run_folder.checkpoints(Path(job.run_dir)) if job and job.run_dir else []
    return [checkpoint for checkpoint in kept if checkpoint.complete and _loads(checkpoint.path)]


def row(studio: Studio, model: Model, step: int) -> Model:
    """A row, not stored, for the checkpoint of that step; raises ``BadInput`` if it is not kept any more."""
    kept = of_model(studio, model)
    chosen = next((checkpoint for checkpoint in kept if checkpoint.step == step), None)
    if chosen is None:
        steps = ", ".join(str(checkpoint.step) for checkpoint in kept) or "-"
        raise BadInput("models.no_checkpoint", model=model.name, step=step, steps=steps)
    training = {**model.details.get("training", {}), "step": step, "seconds": None}
    return Model(
        name=f"{model.name}@{step}",
        kind=model.kind,
        path=str(chosen.path),
        parent_id=model.parent_id,
        job_id=None,
        source=f"run {model.job_id}",
        parameters=model.parameters,
        trust_remote_code=model.trust_remote_code,
        details={**model.details, "training": training, KEY: {"job": model.job_id, "step": step}},
    )


def _loads(folder: Path) -> bool:
    """Whether it holds a model, and not only what its training goes on with."""
    adapter = folder / "adapter_config.json"
    if not adapter.is_file():
        return (folder / "config.json").is_file()
    return json.loads(adapter.read_text(encoding="utf-8")).get("init_lora_weights", True) in _ON_ITS_BASE
