"""Measures what GRPO adds to a model that learnt from faulty examples: `python -m jobs.demo.calculation`.

tiny-chat knows how to calculate and answers in a hurry; there GRPO changes a style. Here tiny-base is fine-tuned on
tiny-sft-chat with worked sums beside it, most of which forget to carry. The model works every sum step by step, and
forgets now and then, so that of several answers some are right. GRPO goes on from there, on other problems and with
nothing but right or wrong. What this prints stands in docs/MEASURED.md.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import torch

from jobs.demo import sums
from jobs.demo.finetune import SUMS, Data, Outcome, Recipe, Rows, Start, finetune, sample
from jobs.demo.measure import COLUMNS, PLAIN, TIME, Scores, measure, table
from jobs.demo.phrases import decorate
from jobs.demo.world import MODEL_NAME
from studio_core.data.shapes import Shape
from studio_core.methods.grpo import GRPO
from studio_core.methods.sft import SFT
from studio_core.runs.run_folder import MODEL

WORKED, FORGETFUL = 300, 0.7
"""Worked sums, and the share of them that forgets to carry. After right ones GRPO gains little, wherever it starts:
what is left wrong then are words that are read as another sign, and eight answers agree on them."""


def chats() -> Rows:
    rng = random.Random(20)
    return [*sample("tiny-sft-chat"), *(worked_sum(rng) for _ in range(WORKED))]


def worked_sum(rng: random.Random) -> dict[str, Any]:
    """A chat in which a problem of the trained part is worked, and the carry is perhaps forgotten."""
    problem = sums.draw(rng)
    question = decorate(sums.wording(problem, rng), rng)
    answer = sums.forgetful(problem) if rng.random() < FORGETFUL else sums.worked(problem)
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


START = Recipe(
    "SFT with worked sums that forget to carry",
    SFT,
    preset="quick",
    apart=Start("tiny-base", Data("chats-and-sums", Shape.CHAT, chats), MODEL_NAME),
)
# Twice the preset's rate, which is for a model that need not find out how: 100 steps of 32 answers.
PRACTICE = {"learning_rate": 1e-4, "max_steps": 100}


def stages(folder: Path, seed: int) -> Iterator[tuple[str, Outcome]]:
    """The model after each of the two trainings."""
    first = finetune(START, seed, folder / "start")
    yield START.name, first
    learner = Start(str(folder / "start" / MODEL), SUMS, MODEL_NAME)
    recipe = Recipe("then GRPO", GRPO, changes=PRACTICE, apart=learner)
    yield recipe.name, finetune(recipe, seed, folder / "practice")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    figures: dict[str, list[Scores]] = {}
    for seed in chosen.seeds:
        with tempfile.TemporaryDirectory() as folder:
            for name, outcome in stages(Path(folder), seed):
                scores = measure(outcome.model, outcome.tokenizer, name=MODEL_NAME)
                figures.setdefault(name, []).append({**scores, TIME: round(outcome.cpu_seconds, 1)})
                print(name, "seed", seed, figures[name][-1], flush=True)
        print(table([*figures.items()], (*COLUMNS, PLAIN, TIME)), flush=True)


if __name__ == "__main__":
    main()
