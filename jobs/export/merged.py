"""A complete model in Hugging Face's form."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from transformers.utils import GENERATION_CONFIG_NAME

from jobs.export import weights
from jobs.export.answering import Answers, Original, Work, of_model
from studio_core.base.errors import BadInput
from studio_core.models.inspect import require_own_files
from studio_core.runs import run_folder

_COPIED = ("*.safetensors", "*.json", "*.jinja", "tokenizer.model")
"""Never weights that are pickled, nor code."""
_OF_TRAINING = (run_folder.MANIFEST, run_folder.BEST, "trainer_state.json")
"""What a checkpoint has beside the model."""


def write(work: Work, folder: Path) -> dict[str, Any]:
    model, precision = work.run.model, work.options.precision
    source = Path(model.path)
    if model.adapter is None and precision == "stored":
        copy(source, folder)
        return {"copied": True}
    return save(work, folder, precision)


def save(work: Work, folder: Path, precision: str) -> dict[str, Any]:
    """The model written anew, its adapter added. Raises ``BadInput`` of what the precision cannot hold."""
    model = work.run.model
    merged = weights.merged(model)
    stored = work.subject.config.get("dtype") or work.subject.config.get("torch_dtype") or "float32"
    dtype = getattr(torch, stored if precision == "stored" else precision)
    for name, tensor in merged.named_parameters():
        if not torch.isfinite(tensor.to(dtype)).all():
            raise BadInput("model_exports.overflow", model=model.name, tensor=name, instead="bfloat16")
    merged.to(dtype)
    merged.save_pretrained(folder, max_shard_size="4GB")
    work.tokenizer.save_pretrained(folder)
    copy_settings(work, folder)
    return {"copied": False, "precision": str(dtype).removeprefix("torch.")}


def copy_settings(work: Work, folder: Path) -> None:
    """How it generates: as it was written, and not as transformers would correct it."""
    for place in filter(None, (work.run.model.path, work.run.model.adapter)):
        settings = Path(place) / GENERATION_CONFIG_NAME
        if settings.is_file():
            shutil.copyfile(settings, folder / settings.name)


def copy(source: Path, folder: Path) -> None:
    require_own_files(source)
    for pattern in _COPIED:
        for file in sorted(source.glob(pattern)):
            if file.name in _OF_TRAINING:
                continue
            shutil.copyfile(file, folder / file.name)


def answers(work: Work, folder: Path, original: Original) -> Answers:
    exported = work.run.model.model_copy(update={"path": str(folder), "adapter": None})
    return of_model(work, exported, original.chat, len(original.answers.texts))
