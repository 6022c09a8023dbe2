"""One merge of LoRA adapters: ``python -m jobs.worker RUN_DIR`` with a ``MergeRun`` in ``spec.json``.

What each method computes stands in ``studio_core.models.merging``; PEFT computes it (``add_weighted_adapter``). The
base model is there for the shapes of its layers: none of its weights is changed, and the result is an adapter on it.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM
from transformers.utils import GENERATION_CONFIG_NAME

from jobs.machine import peak_memory
from jobs.training.loading import load_tokenizer
from jobs.training.results import whole_model
from studio_core.base.atomic import read_json
from studio_core.models.inspect import require_own_files
from studio_core.runs.run_folder import MODEL, SPEC, EventWriter
from studio_core.runs.spec import MergeRun

MERGED = "default"
"""PEFT's name of the new adapter: one that is called so is saved in the folder itself and not in one below it."""


def main(run_dir: Path) -> None:
    began = time.monotonic()
    run = MergeRun.model_validate(read_json(run_dir / SPEC))
    events = EventWriter(run_dir)
    events.write("phase", phase="loading")
    model = load(run)
    events.write("phase", phase="merging")
    merge(model, run)
    events.write("phase", phase="saving")
    save(run_dir, run, model)
    events.write(
        "result",
        state="succeeded",
        model=str(run_dir / MODEL),
        kind="adapter",
        seconds=round(time.monotonic() - began, 2),
        peak_memory=peak_memory(),
    )


def load(run: MergeRun) -> PeftModel:
    """The base with all adapters on it, by the names of ``names_of``."""
    names, folders = names_of(run), [str(adapter.adapter) for adapter in run.adapters]
    for folder in (run.model.path, *folders):
        require_own_files(Path(folder))
    # Only for the singular values, which are the one slow part: a GPU computes those of wide layers faster.
    device = os.environ.get("TUNESMITH_DEVICE") or "cpu"
    base: Any = AutoModelForCausalLM.from_pretrained(
        run.model.path,
        dtype="auto",
        use_safetensors=True,
        trust_remote_code=run.model.trust_remote_code,
        device_map={"": device},
    )
    model = PeftModel.from_pretrained(base, folders[0], adapter_name=names[0])
    for name, folder in zip(names[1:], folders[1:], strict=True):
        model.load_adapter(folder, adapter_name=name)
    return model


def names_of(run: MergeRun) -> list[str]:
    """What PEFT calls the adapters. Not by bare numbers: as those of layers they would stand in names of weights,
    and PEFT leaves out of what it saves all that has the name of another adapter in it."""
    return [f"adapter_{number}" for number in range(len(run.adapters))]


def merge(model: PeftModel, run: MergeRun) -> None:
    """Put the new adapter beside those of ``load``. DARE draws by the seed of the run."""
    names = names_of(run)
    # PEFT gives the new one the settings of the first, with alpha = rank, and reckons with a scaling of 1; by rsLoRA
    # it would be the root of the rank. What the adapters themselves are scaled by is settled when they are loaded.
    model.peft_config[names[0]].use_rslora = False
    torch.manual_seed(run.spec.seed)
    model.base_model.add_weighted_adapter(
        names,
        run.weights,
        MERGED,
        combination_type=run.options["method"],
        density=run.options["density"],
        # Only as many singular vectors as the rank are kept; all of a layer of 11,008 inputs would be 0.5 GB.
        svd_full_matrices=False,
    )


def save(run_dir: Path, run: MergeRun, model: PeftModel) -> None:
    """The new adapter as ``model/``, with the tokenizer and the generation settings of the first."""
    first = run.adapters[0]
    with whole_model(run_dir) as partial:
        model.save_pretrained(partial, selected_adapters=[MERGED], save_embedding_layers=False)
        load_tokenizer(first).save_pretrained(partial)
        settings = Path(str(first.adapter)) / GENERATION_CONFIG_NAME
        if settings.is_file():
            shutil.copy(settings, partial)
