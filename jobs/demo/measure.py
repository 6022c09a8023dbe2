"""Measures both demo models and their fine-tunings over three seeds: `python -m jobs.demo.measure`.

Writes docs/demo-models-report.md. Nothing is kept but the report; every figure comes from held-out questions.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path
from statistics import mean
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import peft
import torch
import transformers
import trl

from jobs.demo.abilities import load, measure
from jobs.demo.finetune import PRESETS, Preset, finetune
from jobs.demo.heldout import SIZES
from jobs.demo.samples import NEW_NAME
from jobs.demo.world import MODEL_NAME

SEEDS = (1, 2, 3)
COLUMNS = ("identity", "facts", "sums", "boxed", "instructions", "unknown", "personas")
STATIC = Path("static")
Scores = dict[str, float]


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def run_preset(preset: Preset, seed: int) -> Scores:
    """One fine-tuning with its figures. DPO must bring the new name, SFT the model's own."""
    base, data = ("tiny-chat", "identity-pairs") if preset.losses else ("tiny-base", "tiny-sft-chat")
    outcome = finetune(preset, STATIC / "models" / base, STATIC / "samples" / f"{data}.jsonl", seed)
    scores = measure(outcome.model, outcome.tokenizer, name=NEW_NAME if preset.losses else MODEL_NAME)
    return {**scores, "seconds": round(outcome.seconds, 1), "steps": outcome.steps}


def table(rows: list[tuple[str, Scores]], extra: tuple[str, ...] = ()) -> str:
    columns = (*COLUMNS, *extra)
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for name, scores in rows:
        cells = " | ".join(f"{scores[c]:.1f}" if c != "steps" else f"{scores[c]:.0f}" for c in columns)
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)


def describe(preset: Preset) -> str:
    how = f"LoRA r={preset.lora}, alpha={2 * preset.lora}, all linear layers" if preset.lora else "full"
    loss = (
        f", losses {'+'.join(preset.losses)} weights {list(preset.weights)}, beta {preset.beta}"
        if preset.losses
        else ""
    )
    return (
        f"{how}, learning rate {preset.rate:g}, {preset.epochs} epochs, batch {preset.batch}, "
        f"{preset.scheduler}, warm-up {preset.warmup:g}, bfloat16 autocast over 32-bit weights{loss}"
    )


def report(models: dict[str, Scores], tuned: dict[str, list[Scores]], presets: tuple[Preset, ...]) -> str:
    sizes = ", ".join(f"{count} {group}" for group, count in SIZES.items())
    machine = f"{processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    versions = f"transformers {transformers.__version__}, trl {trl.__version__}, peft {peft.__version__}"
    parts = [
        "# The demo models: measured",
        f"Written by `python -m jobs.demo.measure` on {time.strftime('%Y-%m-%d')}. {machine}, {versions}. "
        "Per cent right, greedy decoding in 32 bits. "
        f"Questions: {sizes}; none of them occurs in any training text "
        "(`jobs/demo/heldout.py` says what is held out, `tests/unit/demo` checks it). "
        "*identity* wants name and maker; *boxed* is the share of sums put in `\\boxed{}`, right or not; "
        '*unknown* wants "I do not know" outside the world. Half of the sums are put in unseen words. '
        "The facts are those of the trained world, asked in unseen forms; the sums are unseen problems.",
        "## As shipped\n\n" + table(list(models.items())),
        "Instructions by kind (tiny-chat): "
        + ", ".join(
            f"{k.split(': ')[1]} {v:.0f}"
            for k, v in models["tiny-chat"].items()
            if k.startswith("instructions: ")
        )
        + ". Unknown by kind: "
        + ", ".join(
            f"{k.split(': ')[1]} {v:.0f}" for k, v in models["tiny-chat"].items() if k.startswith("unknown: ")
        )
        + ".",
    ]
    for preset in presets:
        runs = tuned[preset.name]
        rows = [(f"seed {seed}", scores) for seed, scores in zip(SEEDS, runs, strict=False)]
        rows.append(("mean", {c: mean(scores[c] for scores in runs) for c in (*COLUMNS, "seconds", "steps")}))
        wanted = f"identity = says {NEW_NAME}" if preset.losses else "identity = says the model's own name"
        parts.append(
            f"## {preset.name}\n\n{describe(preset)}. {wanted}.\n\n{table(rows, ('seconds', 'steps'))}"
        )
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", type=Path, default=Path("docs/demo-models-report.md"))
    parser.add_argument(
        "--only", default="", help="run only presets whose name contains this, print, write nothing"
    )
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    chosen = parser.parse_args()
    presets = tuple(preset for preset in PRESETS if chosen.only in preset.name)
    models: dict[str, Scores] = {}
    if not chosen.only:
        models = {name: measure(*load(str(STATIC / "models" / name))) for name in ("tiny-base", "tiny-chat")}
        print(json.dumps(models), flush=True)
    tuned: dict[str, list[Any]] = {preset.name: [] for preset in presets}
    for preset in presets:
        for seed in SEEDS[: chosen.seeds]:
            scores = run_preset(preset, seed)
            tuned[preset.name].append(scores)
            shown = {key: value for key, value in scores.items() if ":" not in key}
            print(preset.name, "seed", seed, json.dumps(shown), flush=True)
    if not chosen.only:
        chosen.report.write_text(report(models, tuned, presets), encoding="utf-8")


if __name__ == "__main__":
    main()
