"""Short fine-tunings of the demo models with TRL, as the measurement runs them: the presets under test."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from datasets import Dataset, disable_progress_bars, load_dataset
from peft import LoraConfig
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    set_seed,
)
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer


@dataclass(frozen=True)
class Preset:
    """One way of fine-tuning a demo model; `losses` is empty for SFT."""

    name: str
    rate: float
    epochs: int
    batch: int = 16
    lora: int = 0
    losses: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    beta: float = 0.1
    scheduler: str = "cosine"
    warmup: float = 0.05


SFT_FULL = Preset("SFT, full", rate=1e-3, epochs=6)
SFT_LORA = Preset("SFT, LoRA r=16", rate=4e-3, epochs=8, lora=16)
DPO_FULL = Preset("DPO sigmoid+sft, full", rate=1e-4, epochs=3, losses=("sigmoid", "sft"), weights=(1.0, 1.0))
DPO_PLAIN = Preset("DPO sigmoid, full", rate=1e-4, epochs=3, losses=("sigmoid",), weights=(1.0,))
DPO_LORA = Preset(
    "DPO sigmoid+sft, LoRA r=16", rate=5e-4, epochs=3, lora=16, losses=("sigmoid", "sft"), weights=(1.0, 1.0)
)
PRESETS = (SFT_FULL, SFT_LORA, DPO_FULL, DPO_PLAIN, DPO_LORA)


@dataclass
class Outcome:
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    seconds: float
    steps: int


def _arguments(preset: Preset, seed: int, folder: str) -> dict[str, Any]:
    return {
        "output_dir": folder,
        "seed": seed,
        "learning_rate": preset.rate,
        "num_train_epochs": preset.epochs,
        "per_device_train_batch_size": preset.batch,
        "lr_scheduler_type": preset.scheduler,
        "warmup_steps": preset.warmup,
        "weight_decay": 0.0,
        "use_cpu": True,
        "bf16": True,  # Autocast only: the weights that are trained stay in 32 bits.
        "activation_checkpointing": False,
        "train_sampling_strategy": "group_by_length",
        "max_length": 512,
        "logging_steps": 10,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }


def finetune(preset: Preset, model_path: Path, data: Path, seed: int) -> Outcome:
    """Trains the model of `model_path` on a JSONL file; the time includes loading and preparing."""
    disable_progress_bars()
    set_seed(seed)
    began = time.perf_counter()
    model = AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(model_path)
    with tempfile.TemporaryDirectory() as folder:
        rows: Dataset = load_dataset("json", data_files=str(data), split="train", cache_dir=folder)
        lora = (
            LoraConfig(r=preset.lora, lora_alpha=2 * preset.lora, target_modules="all-linear")
            if preset.lora
            else None
        )
        common: dict[str, Any] = {
            "model": model,
            "processing_class": tokenizer,
            "train_dataset": rows,
            "peft_config": lora,
        }
        arguments = _arguments(preset, seed, folder)
        if preset.losses:
            config = DPOConfig(
                **arguments,
                beta=preset.beta,
                loss_type=list(preset.losses),
                loss_weights=list(preset.weights),
            )
            trainer: Any = DPOTrainer(args=config, **common)
        else:
            trainer = SFTTrainer(args=SFTConfig(**arguments, assistant_only_loss=True), **common)
        trainer.train()
    tuned = trainer.model.merge_and_unload() if preset.lora else trainer.model
    return Outcome(tuned, tokenizer, time.perf_counter() - began, trainer.state.global_step)
