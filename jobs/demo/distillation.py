"""Measures distillation on the demo models over three seeds: `python -m jobs.demo.distillation`.

The student is tiny-base after the SFT recipe, the teacher tiny-chat. Writes docs/distillation-report.md; every figure
comes from held-out questions, and no prompt that is trained on is among them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import pyarrow
import torch
from pyarrow import parquet

from jobs.demo import dialogues
from jobs.demo.abilities import load, measure
from jobs.demo.finetune import PARAMETERS, STATIC, Recipe, finetune
from jobs.demo.world import build_world
from jobs.training import distillation
from studio_core.methods.base import validated
from studio_core.methods.distillation import DISTILLATION
from studio_core.methods.sft import SFT
from studio_core.runs.run_folder import EVENTS, MODEL, SPEC
from studio_core.runs.spec import ResolvedDataset, ResolvedModel, RunSpec, TrainSpec

SEEDS = (1, 2, 3)
COLUMNS = ("identity", "facts", "sums", "boxed", "instructions", "unknown", "personas")
WAYS: dict[str, dict[str, Any]] = {
    "on-policy": {"mode": "on_policy"},
    "off-policy": {"mode": "off_policy"},
    "answers (SFT)": {"mode": "answers"},
}
"""All over the same prompts for the same number of steps, so with nearly as many tokens of the teacher's."""
_PROMPT_SEED = 7
UNKNOWN, IDENTITY = 400, 200
"""Prompts beside the 1,000 of the SFT sample. *unknown* is what is to be learnt; its "I do not know" spreads to
questions about the model itself unless enough of these are asked, too."""

Scores = dict[str, float]


def prompts() -> list[dict[str, Any]]:
    """Chats of which the questions are used: those of the SFT sample, and what it taught too little of."""
    lines = (STATIC / "samples" / "tiny-sft-chat.jsonl").read_text(encoding="utf-8").splitlines()
    rng, world = random.Random(_PROMPT_SEED), build_world()
    more = [dialogues.unknown(world, rng) for _ in range(UNKNOWN)]
    more += [dialogues.identity(rng) for _ in range(IDENTITY)]
    return [*map(json.loads, lines), *({"messages": dialogues.row(turn)} for turn in more)]


def distilled(student: Path, changes: dict[str, Any], seed: int, run_dir: Path) -> Scores:
    """One distillation from ``student`` with its figures, the processor's seconds and the answer tokens it saw."""
    run_dir.mkdir(parents=True)
    rows, path = prompts(), run_dir / "data.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    changes = {"precision": "fp32", **changes}
    options = validated(DISTILLATION, "balanced", "full", PARAMETERS, changes)
    teacher = str(STATIC / "models" / "tiny-chat")
    run = RunSpec(
        spec=TrainSpec(
            method="distillation", model="tiny-sft", dataset="prompts", models={"teacher": "tiny-chat"},
            options=changes, seed=seed, device="cpu",
        ),
        model=ResolvedModel(name="tiny-sft", path=str(student), parameters=PARAMETERS),
        dataset=ResolvedDataset(
            id=1, name="prompts", version=1, shape="chat", rows=len(rows), path=str(path), sha256=""
        ),
        models={"teacher": ResolvedModel(name="tiny-chat", path=teacher, parameters=PARAMETERS)},
        options=options.model_dump(),
        prompts=[],
    )  # fmt: skip
    (run_dir / SPEC).write_text(run.model_dump_json(), encoding="utf-8")
    began = time.process_time()
    distillation.main(run_dir)
    seconds = time.process_time() - began
    events = [json.loads(line) for line in (run_dir / EVENTS).read_text(encoding="utf-8").splitlines()]
    steps = [event["values"] for event in events if event["type"] == "metrics" and "loss" in event["values"]]
    tokens = sum(values["written_tokens"] for values in steps) * run.options["batch_size"]
    return {**measure(*load(str(run_dir / MODEL))), "CPU s": seconds, "answer tokens": tokens}


def table(rows: dict[str, list[Scores]]) -> str:
    """Of each row the figures of every seed and their mean."""
    columns = (*COLUMNS, "CPU s", "answer tokens")
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for name, runs in rows.items():
        for place, scores in (*enumerate(runs, 1), ("mean", None)):
            cells = []
            for column in columns:
                values = (
                    [run[column] for run in runs if column in run] if scores is None else [scores.get(column)]
                )
                cells.append(f"{mean(values):.0f}" if values and None not in values else "")
            lines.append(f"| {name}, {place if scores is None else f'seed {place}'} | {' | '.join(cells)} |")
    return "\n".join(lines)


_INTRODUCTION = """# Distillation: measured

Written by `python -m jobs.demo.distillation` on {date}: one thread, 32 bits; *CPU s* is processor time of the
distillation alone. Preset `balanced` of `distillation`, full, with the mode that the row names: learning_rate
{learning_rate}, {epochs} epochs over {rows} prompts, batch_size {batch_size}, beta {beta}, temperature {temperature}.
Student: tiny-base after the recipe "SFT, full" of [the report on the demo models](demo-models-report.md), which also
says what each column asks. Teacher: tiny-chat. Per cent right, greedy.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", type=Path, default=Path("docs/distillation-report.md"))
    parser.add_argument(
        "--students", type=Path, help="folder of fine-tuned students; made if they are not there"
    )
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    rows: dict[str, list[Scores]] = {"before": [], **{name: [] for name in WAYS}}
    with tempfile.TemporaryDirectory() as scratch:
        for seed in SEEDS[: chosen.seeds]:
            folder = (chosen.students or Path(scratch)) / f"sft{seed}"
            if not (folder / MODEL).is_dir():
                finetune(Recipe("SFT, full", SFT), seed, folder)
            rows["before"].append(measure(*load(str(folder / MODEL))))
            for name, changes in WAYS.items():
                run_dir = Path(scratch) / f"{changes['mode']}-{seed}"
                rows[name].append(distilled(folder / MODEL, changes, seed, run_dir))
                print(name, "seed", seed, json.dumps(rows[name][-1]), flush=True)
    rows["teacher"] = [measure(*load(str(STATIC / "models" / "tiny-chat")))]
    options = validated(DISTILLATION, "balanced", "full", PARAMETERS).model_dump()
    head = _INTRODUCTION.format(date=time.strftime("%Y-%m-%d"), rows=len(prompts()), **options)
    chosen.report.write_text(f"{head}\n{table(rows)}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
