"""Folders as other trainers leave them: what they report, and the result of a run on tiny-chat."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

from studio_core.models.inspect import shapes
from tests.unit.studio_core.models.folders import safetensors

# Written by torch's SummaryWriter: train/loss_mean = 1.5 and NaN, a text, and train/new = 2.5 as a tensor.
EVENTS = base64.b64decode(
    "SAAAAAAAAAD+kkidCYH4PvOEw9pBGg1icmFpbi5FdmVudDoyUi4KLHRlbnNvcmJvYXJkLnN1bW1hcnkud3JpdGVyLmV2ZW50X2ZpbGVfd3JpdGVy"
    "SvGSFCUAAAAAAAAA6rw28wkAAABA/FTZQRABKhgKFgoPdHJhaW4vbG9zc19tZWFuFQAAwD8s4zJjOgAAAAAAAAASleriCQAAAED8VNlBEAEqLQor"
    "Cg50L3RleHRfc3VtbWFyeUIPCAcSBBICCAFCBWhlbGxvSggKBgoEdGV4dBNFBkYxAAAAAAAAAJ2Dg+kJAADAQPxU2UEQAiokCiIKCXRyYWluL25l"
    "d0IICAEqBAAAIEBKCwoJCgdzY2FsYXJz8RqpaCUAAAAAAAAA6rw28wkAAMBA/FTZQRACKhgKFgoPdHJhaW4vbG9zc19tZWFuFQAAwH/ONlm0"
)
STATE: dict[str, Any] = {
    "global_step": 4,
    "max_steps": 6,
    "log_history": [
        {"step": 2, "epoch": 0.5, "loss": 2.5, "learning_rate": 1e-4, "num_tokens": 90.0},
        {
            "step": 4,
            "epoch": 1.0,
            "loss": float("nan"),
            "grad_norm": 0.5,
            "memory(GiB)": 7.25,
            "stage": "late",
        },
        {"step": 4, "epoch": 1.0, "eval_loss": 2.0, "train_runtime": 12.5},
    ],
}


def state(folder: Path, step: int = 4, **changed: Any) -> Path:
    """``trainer_state.json`` of a checkpoint in a folder that was handed over."""
    checkpoint = folder / "output" / f"checkpoint-{step}"
    checkpoint.mkdir(parents=True)
    (checkpoint / "trainer_state.json").write_text(json.dumps({**STATE, "global_step": step, **changed}))
    return checkpoint


def lora(folder: Path, base: Path, rank: int = 4, **config: Any) -> Path:
    """An adapter of zeros on the queries of each layer."""
    folder.mkdir(parents=True, exist_ok=True)
    pieces = {}
    for name, shape in shapes(base).items():
        if name.endswith("q_proj.weight"):
            out, into = shape
            place = f"base_model.model.{name.removesuffix('.weight')}"
            pieces |= {f"{place}.lora_A.weight": [rank, into], f"{place}.lora_B.weight": [out, rank]}
    safetensors(folder / "adapter_model.safetensors", pieces)
    settings = {
        "peft_type": "LORA", "r": rank, "lora_alpha": rank, "target_modules": ["q_proj"], "peft_version": "0.21.2",
        "base_model_name_or_path": "/elsewhere/tiny-chat", **config,
    }  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    return folder


def whole(folder: Path, base: Path, **config: Any) -> Path:
    """The base itself as the result of a training of all weights."""
    shutil.copytree(base, folder, dirs_exist_ok=True)
    document = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**document, **config}))
    return folder
