"""The result of a training: a model folder that is whole or not there, and the last event."""

from __future__ import annotations

import os
import resource
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoConfig, PreTrainedTokenizerBase

from studio_core import run_folder
from studio_core.run_folder import EventWriter
from studio_core.spec import RunSpec


def save(
    run_dir: Path,
    run: RunSpec,
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    weights: dict[str, torch.Tensor] | None = None,
) -> str:
    """Save adapter or model with its tokenizer as ``model/``; returns ``adapter`` or ``full``.

    A full model gets the precision in which its base was stored. ``weights`` are those of a model
    that is in shards.
    """
    partial = run_dir / f".{run_folder.MODEL}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    if isinstance(model, PeftModel):
        # DPO keeps the adapter that it started from beside the trained one, as its reference.
        model.save_pretrained(
            partial, selected_adapters=["default"], save_embedding_layers=False, state_dict=weights
        )
        kind = "adapter"
    else:
        stored = (
            AutoConfig.from_pretrained(run.model.path, trust_remote_code=run.model.trust_remote_code).dtype
            or torch.float32
        )
        if weights is None:
            model.to(stored)
        else:
            tied = model.all_tied_weights_keys  # Gathered from the shards they are tensors of their own.
            weights = {name: weight.to(stored) for name, weight in weights.items() if name not in tied}
            model.config.dtype = stored
        model.save_pretrained(partial, max_shard_size="4GB", state_dict=weights)
        kind = "full"
    tokenizer.save_pretrained(partial)
    for file in partial.rglob("*"):
        if file.is_file():
            with open(file, "rb") as written:
                os.fsync(written.fileno())
    target = run_dir / run_folder.MODEL
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    run_folder.sync_folder(run_dir)
    return kind


def peak_memory() -> int:
    """Most bytes that this process held: on the GPU if it used one, else in main memory."""
    if torch.cuda.is_available() and torch.cuda.max_memory_reserved():
        return torch.cuda.max_memory_reserved()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def report(
    events: EventWriter, run_dir: Path, trainer: Any, *, kind: str, stopped: bool, began: float
) -> None:
    """The ``result`` event. A stop that came when all steps were done is a success."""
    state = trainer.state
    events.write(
        "result",
        state="stopped" if stopped and state.global_step < state.max_steps else "succeeded",
        model=str(run_dir / run_folder.MODEL),
        kind=kind,
        step=state.global_step,
        total_steps=state.max_steps,
        seconds=round(time.monotonic() - began, 2),
        peak_memory=peak_memory(),
        parameters=trainer.model.num_parameters(),
    )
