"""Short fine-tunings of the demo models by the studio's own scripts, all in one process that stays warm."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow
import torch
from peft import PeftModel
from pyarrow import parquet
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from jobs.demo.plain_text import other_world
from jobs.demo.recorded import scored_sums
from jobs.demo.samples import NEW_NAME
from jobs.demo.world import MODEL_NAME
from jobs.training.start import script
from studio_core.data.shapes import Shape
from studio_core.methods.base import Method, validated
from studio_core.methods.cpo import CPO
from studio_core.methods.dpo import DPO
from studio_core.methods.grpo import GRPO
from studio_core.methods.kto import KTO
from studio_core.methods.online_dpo import ONLINE_DPO
from studio_core.methods.oreo import OREO
from studio_core.methods.orpo import ORPO
from studio_core.methods.ppo import PPO
from studio_core.methods.rloo import RLOO
from studio_core.methods.sft import SFT
from studio_core.methods.sft_kl import SFT_KL
from studio_core.methods.simpo import SIMPO
from studio_core.methods.trpo import TRPO
from studio_core.runs.run_folder import EVENTS, MODEL, SPEC
from studio_core.runs.spec import ResolvedDataset, ResolvedModel, RunSpec, TrainSpec
from studio_core.tunings import TUNINGS

STATIC = Path(__file__).parents[2] / "static"
PARAMETERS = 2_000_000

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Data:
    """Rows under the name that the report calls them by."""

    name: str
    shape: Shape
    rows: Callable[[], Rows]


@dataclass(frozen=True)
class Start:
    """What a fine-tuning begins with and learns from, and the name that *identity* then wants to hear."""

    base: str
    data: Data
    wants: str


def sample(name: str) -> Rows:
    """One of the datasets under static/samples."""
    lines = (STATIC / "samples" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def judged() -> Rows:
    """Each answer of a pair alone, in the order of the file."""
    return [
        {"prompt": row["prompt"], "completion": row[side], "label": side == "chosen"}
        for row in sample("identity-pairs")
        for side in ("chosen", "rejected")
    ]


CHATS = Data("tiny-sft-chat", Shape.CHAT, partial(sample, "tiny-sft-chat"))
PAIRS = Data("identity-pairs", Shape.PREFERENCE, partial(sample, "identity-pairs"))
SUMS = Data("sums-prompts", Shape.PROMPT_ONLY, partial(sample, "sums-prompts"))
RECORDED = Data("scored-sums", Shape.SCORED, scored_sums)
JUDGED = Data("identity-pairs", Shape.UNPAIRED_PREFERENCE, judged)
OTHER_WORLD = Data("another world", Shape.TEXT, other_world)
STARTS = {
    Shape.CHAT: Start("tiny-base", CHATS, MODEL_NAME),
    Shape.PREFERENCE: Start("tiny-chat", PAIRS, NEW_NAME),
    Shape.UNPAIRED_PREFERENCE: Start("tiny-chat", JUDGED, NEW_NAME),
    Shape.PROMPT_ONLY: Start("tiny-chat", SUMS, MODEL_NAME),
    Shape.SCORED: Start("tiny-chat", RECORDED, MODEL_NAME),
}
"""By the shape that a method learns from first; a recipe may say otherwise."""


READING = Start("tiny-chat", OTHER_WORLD, MODEL_NAME)
"""Continued pre-training of a model that knows one world, on text about another."""
AGAIN = Start("tiny-chat", CHATS, MODEL_NAME)
"""Fine-tuning of a model that knows more than its data hold."""


@dataclass(frozen=True)
class Recipe:
    """One way of fine-tuning: a shipped preset, and what is changed in it."""

    name: str
    method: Method
    tuning: str = "full"
    preset: str = "balanced"
    changes: dict[str, Any] = field(default_factory=dict)
    apart: Start | None = None
    """Where it does not start as its method usually does."""
    replay: Data | None = None

    @property
    def start(self) -> Start:
        return self.apart or STARTS[self.method.shapes[0]]

    def options(self) -> dict[str, Any]:
        return validated(self.method, self.preset, self.tuning, PARAMETERS, self.changes).model_dump()


RECIPES = (
    Recipe("SFT, full", SFT),
    Recipe("SFT, LoRA", SFT, "lora"),
    Recipe("DPO with SFT term, full", DPO),
    Recipe("DPO, plain sigmoid, full", DPO, changes={"sft_weight": 0.0}),
    Recipe("DPO with SFT term, LoRA", DPO, "lora"),
    Recipe("KTO, full", KTO),
    Recipe("KTO, LoRA", KTO, "lora"),
    Recipe("SFT, 3 epochs", SFT, preset="quick"),
    Recipe("SFT with KL 0.3, 3 epochs", SFT_KL, preset="quick"),
    Recipe("SFT with KL 0.1, 3 epochs", SFT_KL, preset="quick", changes={"kl_coef": 0.1}),
    Recipe("SFT with KL 1, 3 epochs", SFT_KL, preset="quick", changes={"kl_coef": 1.0}),
    Recipe("Continued pre-training", SFT, apart=READING),
    Recipe("with 20 % replay", SFT, apart=READING, replay=CHATS),
    Recipe("with 50 % replay", SFT, apart=READING, replay=CHATS, changes={"replay_share": 0.5}),
    Recipe("Again: nll", SFT, preset="quick", apart=AGAIN),
    Recipe("Again: dft", SFT, preset="quick", changes={"loss": "dft"}, apart=AGAIN),
    Recipe("Again: KL 0.3", SFT_KL, preset="quick", apart=AGAIN),
    Recipe("SFT with reverse KL 0.3, 3 epochs", SFT_KL, preset="quick", changes={"kl_direction": "reverse"}),
    Recipe("SimPO, full", SIMPO),
    Recipe("SimPO, LoRA", SIMPO, "lora"),
    Recipe("CPO, full", CPO),
    Recipe("CPO, LoRA", CPO, "lora"),
    Recipe("ORPO, full", ORPO),
    Recipe("ORPO, LoRA", ORPO, "lora"),
    Recipe("GRPO, full", GRPO),
    Recipe("GRPO, LoRA", GRPO, "lora"),
    Recipe("PPO, full", PPO),
    Recipe("PPO, LoRA", PPO, "lora"),
    Recipe("TRPO, full", TRPO),
    Recipe("TRPO, LoRA", TRPO, "lora"),
    Recipe("RLOO, full", RLOO),
    Recipe("RLOO, LoRA", RLOO, "lora"),
    Recipe("Online DPO, full", ONLINE_DPO),
    Recipe("Online DPO, LoRA", ONLINE_DPO, "lora"),
    Recipe("OREO, full", OREO),
    Recipe("OREO, LoRA", OREO, "lora"),
)


@dataclass
class Outcome:
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    cpu_seconds: float
    """Processor time of all threads from loading the base model to the saved result."""


def stored(data: Data, folder: Path) -> ResolvedDataset:
    """The rows in a file, as the studio's dataset store keeps them."""
    rows, path = data.rows(), folder / f"{data.name}.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return ResolvedDataset(
        id=1, name=data.name, version=1, shape=data.shape, rows=len(rows), path=str(path), sha256=sha256
    )


def spec_of(recipe: Recipe, seed: int, run_dir: Path) -> RunSpec:
    """The spec of a run in ``run_dir``, where its data are written."""
    base, data, replay = recipe.start.base, recipe.start.data, recipe.replay
    return RunSpec(
        spec=TrainSpec(
            method=recipe.method.name,
            tuning=recipe.tuning,
            model=base,
            dataset=data.name,
            data={"replay": replay.name} if replay else {},
            preset=recipe.preset,
            options=recipe.changes,
            seed=seed,
            device="cpu",
        ),
        model=ResolvedModel(name=base, path=str(STATIC / "models" / base), parameters=PARAMETERS),
        dataset=stored(data, run_dir),
        data={"replay": stored(replay, run_dir)} if replay else {},
        options=recipe.options(),
        prompts=[],
    )


def finetune(recipe: Recipe, seed: int, run_dir: Path) -> Outcome:
    """Carry out one run in this process and load what it made."""
    run_dir.mkdir(parents=True)
    seconds = carry_out(spec_of(recipe, seed, run_dir), run_dir)
    return Outcome(*tuned(recipe, run_dir), seconds)


def carry_out(run: RunSpec, run_dir: Path) -> float:
    """One training in this process; its seconds of processor time. Ends the program if the run was broken off."""
    (run_dir / SPEC).write_text(run.model_dump_json(), encoding="utf-8")
    began = time.process_time()
    script(run.spec.method).main(run_dir)
    seconds = time.process_time() - began
    reports = [json.loads(line) for line in (run_dir / EVENTS).read_text(encoding="utf-8").splitlines()]
    # A training hears SIGTERM as "save and end": a model that was half trained is no measurement.
    if [report["state"] for report in reports if report["type"] == "result"] != ["succeeded"]:
        raise SystemExit(f"The training in {run_dir} was broken off. Nothing is measured of it.")
    return seconds


def tuned(recipe: Recipe, run_dir: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model that a run has made, whole and in 32 bits."""
    made = run_dir / MODEL
    tokenizer = AutoTokenizer.from_pretrained(made)
    if TUNINGS[recipe.tuning].whole:
        return AutoModelForCausalLM.from_pretrained(made, dtype=torch.float32), tokenizer
    path = STATIC / "models" / recipe.start.base
    base = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    return PeftModel.from_pretrained(base, made).merge_and_unload(), tokenizer
