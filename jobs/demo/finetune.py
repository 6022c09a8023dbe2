"""Short fine-tunings of the demo models by the studio's own scripts, each in its own process."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow
import torch
from peft import PeftModel
from pyarrow import parquet
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from studio_core.methods.base import Method, validated
from studio_core.methods.dpo import DPO
from studio_core.methods.kto import KTO
from studio_core.methods.sft import SFT
from studio_core.runs.run_folder import EVENTS, MODEL, SPEC
from studio_core.runs.spec import ResolvedDataset, ResolvedModel, RunSpec, TrainSpec
from studio_core.tunings import TUNINGS

STATIC = Path(__file__).parents[2] / "static"
PARAMETERS = 2_000_000


@dataclass(frozen=True)
class Recipe:
    """One way of fine-tuning: a shipped preset, and what is changed in it."""

    name: str
    method: Method
    tuning: str = "full"
    preset: str = "balanced"
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return "tiny-base" if self.method is SFT else "tiny-chat"

    @property
    def data(self) -> tuple[str, str]:
        shapes = {"sft": "chat", "dpo": "preference", "kto": "unpaired-preference"}
        return "tiny-sft-chat" if self.method is SFT else "identity-pairs", shapes[self.method.name]

    def rows(self) -> list[dict[str, Any]]:
        """The sample data; for KTO each answer of a pair alone, in the order of the file."""
        lines = (STATIC / "samples" / f"{self.data[0]}.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        if self.method is not KTO:
            return rows
        return [
            {"prompt": row["prompt"], "completion": row[side], "label": side == "chosen"}
            for row in rows
            for side in ("chosen", "rejected")
        ]

    def options(self) -> dict[str, Any]:
        return validated(self.method, self.preset, self.tuning, PARAMETERS, self.changes).model_dump()


RECIPES = (
    Recipe("SFT, full", SFT),
    Recipe("DPO with SFT term, full", DPO),
    Recipe("DPO, plain sigmoid, full", DPO, changes={"sft_weight": 0.0}),
    Recipe("DPO with SFT term, LoRA", DPO, "lora"),
    Recipe("KTO, full", KTO),
    Recipe("KTO, LoRA", KTO, "lora"),
    Recipe("SFT, LoRA", SFT, "lora"),
)


@dataclass
class Outcome:
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    seconds: float
    """Wall time of the whole process, from a cold start over the imports to the saved model."""
    training: float
    """Wall time of the training phase alone."""


def _spec(recipe: Recipe, seed: int, run_dir: Path) -> RunSpec:
    data, shape = recipe.data
    rows = recipe.rows()
    path = run_dir / "data.parquet"  # The training scripts read what the studio's dataset store keeps.
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return RunSpec(
        spec=TrainSpec(
            method=recipe.method.name,
            tuning=recipe.tuning,
            model=recipe.base,
            dataset=data,
            preset=recipe.preset,
            options=recipe.changes,
            seed=seed,
            device="cpu",
        ),
        model=ResolvedModel(
            name=recipe.base, path=str(STATIC / "models" / recipe.base), parameters=PARAMETERS
        ),
        dataset=ResolvedDataset(
            id=1,
            name=data,
            version=1,
            shape=shape,
            rows=len(rows),
            path=str(path),
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        ),
        options=recipe.options(),
        prompts=[],
    )


def _training_seconds(run_dir: Path) -> float:
    """From the event that begins the training to the one that begins the saving."""
    events = [json.loads(line) for line in (run_dir / EVENTS).read_text(encoding="utf-8").splitlines()]
    began = {
        event["phase"]: datetime.fromisoformat(event["at"]) for event in events if event["type"] == "phase"
    }
    return (began["saving"] - began["training"]).total_seconds()


def finetune(recipe: Recipe, seed: int, run_dir: Path) -> Outcome:
    run_dir.mkdir(parents=True)
    (run_dir / SPEC).write_text(_spec(recipe, seed, run_dir).model_dump_json(), encoding="utf-8")
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", f"jobs.training.{recipe.method.name}", str(run_dir)],
        check=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "GOMP_SPINCOUNT": "1000"},
        stdout=subprocess.DEVNULL,
    )
    seconds, training = time.perf_counter() - began, _training_seconds(run_dir)
    made = run_dir / MODEL
    tokenizer = AutoTokenizer.from_pretrained(made)
    if TUNINGS[recipe.tuning].whole:
        return Outcome(
            AutoModelForCausalLM.from_pretrained(made, dtype=torch.float32), tokenizer, seconds, training
        )
    base = AutoModelForCausalLM.from_pretrained(STATIC / "models" / recipe.base, dtype=torch.float32)
    return Outcome(PeftModel.from_pretrained(base, made).merge_and_unload(), tokenizer, seconds, training)
