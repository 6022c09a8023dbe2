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
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import torch

from jobs.demo import dialogues
from jobs.demo.abilities import load, measure
from jobs.demo.finetune import CHATS, PARAMETERS, STATIC, Data, Recipe, carry_out, finetune, stored
from jobs.demo.world import build_world
from studio_core.data.shapes import Shape
from studio_core.methods.base import validated
from studio_core.methods.distillation import DISTILLATION
from studio_core.methods.sft import SFT
from studio_core.runs.run_folder import EVENTS, MODEL
from studio_core.runs.spec import ResolvedModel, RunSpec, TrainSpec

SEEDS = (1, 2, 3)
COLUMNS = ("identity", "facts", "sums", "boxed", "instructions", "unknown", "personas")
# Higher rates than the preset's forget more and gain no instructions either: docs/MEASURED.md. One epoch, for there are
# prompts enough.
RECIPE: dict[str, Any] = {"precision": "fp32", "epochs": 1.0, "replay_share": 0.5}
WAYS: dict[str, dict[str, Any]] = {
    "on-policy": {"mode": "on_policy"},
    "off-policy": {"mode": "off_policy"},
}
"""All over the same prompts once, so with nearly as many tokens of the teacher's."""
_PROMPT_SEED = 7
MIXTURE = {"unknown": 400, "identity": 1400, "sums": 400, "facts": 300}
"""*unknown* is what is to be learnt. Its "I do not know" spreads to questions about the model itself, unless the
teacher is asked such in as many forms as there are; sums and facts are asked for lest they fade. What taught the
student is replayed besides."""

Scores = dict[str, float]


def prompts() -> list[dict[str, Any]]:
    """Chats of which the questions are used, in forms that are never measured."""
    rng, world = random.Random(_PROMPT_SEED), build_world()
    ask: dict[str, Callable[[int], dialogues.Turn]] = {
        "unknown": lambda _: dialogues.unknown(world, rng),
        # Half of them in the forms that come less often.
        "identity": lambda number: dialogues.identity(rng, more=number % 2 == 0),
        "sums": lambda _: dialogues.a_sum(rng),
        "facts": lambda _: dialogues.fact(world, rng),
    }
    turns = [ask[kind](number) for kind, count in MIXTURE.items() for number in range(count)]
    return [{"messages": dialogues.row(turn)} for turn in turns]


def distilled(student: Path, changes: dict[str, Any], seed: int, run_dir: Path) -> Scores:
    """One distillation from ``student`` with its figures, the processor's seconds and the answer tokens it saw."""
    run_dir.mkdir(parents=True)
    changes = {**RECIPE, **changes}
    options = validated(DISTILLATION, "balanced", "full", PARAMETERS, changes)
    teacher = str(STATIC / "models" / "tiny-chat")
    run = RunSpec(
        spec=TrainSpec(
            method="distillation", model="tiny-sft", dataset="prompts", models={"teacher": "tiny-chat"},
            data={"replay": CHATS.name},
            options=changes, seed=seed, device="cpu",
        ),
        model=ResolvedModel(name="tiny-sft", path=str(student), parameters=PARAMETERS),
        dataset=stored(Data("prompts", Shape.CHAT, prompts), run_dir),
        data={"replay": stored(CHATS, run_dir)},
        models={"teacher": ResolvedModel(name="tiny-chat", path=teacher, parameters=PARAMETERS)},
        options=options.model_dump(),
        prompts=[],
    )  # fmt: skip
    seconds = carry_out(run, run_dir)
    events = [json.loads(line) for line in (run_dir / EVENTS).read_text(encoding="utf-8").splitlines()]
    steps = [event["values"] for event in events if event["type"] == "metrics" and "loss" in event["values"]]
    # Of a step's rows some are replayed: the prompts are counted, each with an answer of mean length.
    written = mean(step["written_tokens"] for step in steps)
    tokens = written * run.dataset.rows * run.options["epochs"]
    return {**measure(*load(str(run_dir / MODEL))), "CPU s": seconds, "answer tokens": tokens}


def table(rows: dict[str, list[Scores]]) -> str:
    """Of each row the figures of every seed and their mean, and what the means of a way gained over those before."""
    columns = (*COLUMNS, "CPU s", "answer tokens")
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]

    def add(name: str, scores: Scores, form: str = ".0f") -> None:
        cells = (f"{scores[column]:{form}}" if column in scores else "" for column in columns)
        lines.append(f"| {name} | {' | '.join(cells)} |")

    means = {
        name: {column: mean(run[column] for run in runs) for column in runs[0]} for name, runs in rows.items()
    }
    for name, runs in rows.items():
        if len(runs) > 1:
            for seed, scores in enumerate(runs, 1):
                add(f"{name}, seed {seed}", scores)
        add(f"{name}, mean" if len(runs) > 1 else name, means[name])
    for name in WAYS:
        add(
            f"{name}, gained",
            {column: means[name][column] - means["before"][column] for column in COLUMNS},
            "+.0f",
        )
    return "\n".join(lines)


_INTRODUCTION = """# Distillation: measured

Written by `python -m jobs.demo.distillation` on {date}: one thread, 32 bits; *CPU s* is processor time of the
distillation alone. Preset `balanced` of `distillation`, full, with the mode that the row names: learning_rate
{learning_rate}, {epochs} epochs over {rows} prompts ({mixture}),
batch_size {batch_size}, beta {beta}, temperature {temperature}; replayed, as half of the rows: the dataset that the
student learnt from. *Answer tokens* are those that the teacher was asked about.
Student: tiny-base after the recipe "SFT, full" of [the report on the demo models](demo-models-report.md), which also
says what each column asks. Teacher: tiny-chat. Per cent right, greedy. Promised were 40 points gained on *instructions*
and *unknown*, at most 3 lost on *identity*, *facts*, *sums* and *personas*, and at most 240 CPU s.
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
    rows["teacher"] = [measure(*load(str(STATIC / "models" / "tiny-chat")))]
    with tempfile.TemporaryDirectory() as scratch:
        for seed in SEEDS[: chosen.seeds]:
            folder = (chosen.students or Path(scratch)) / f"sft{seed}"
            if not (folder / MODEL).is_dir():
                finetune(Recipe("SFT, full", SFT), seed, folder)
            rows["before"].append(measure(*load(str(folder / MODEL))))
            for place, (name, changes) in enumerate(WAYS.items()):
                run_dir = Path(scratch) / f"{place}-{seed}"
                rows[name].append(distilled(folder / MODEL, changes, seed, run_dir))
                print(name, "seed", seed, json.dumps(rows[name][-1]), flush=True)
            # After every seed: what is measured is not lost with what comes after it.
            chosen.report.write_text(f"{head()}\n{table(rows)}\n", encoding="utf-8")


def head() -> str:
    """How it was measured."""
    options = validated(DISTILLATION, "balanced", "full", PARAMETERS, RECIPE).model_dump()
    mixture = ", ".join(f"{count} of *{kind}*" for kind, count in MIXTURE.items())
    return _INTRODUCTION.format(
        date=time.strftime("%Y-%m-%d"), rows=sum(MIXTURE.values()), mixture=mixture, **options
    )


if __name__ == "__main__":
    main()
