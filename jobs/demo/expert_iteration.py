"""Measures rejection sampling in rounds on the demo models: `python -m jobs.demo.expert_iteration`.

Each round the newest model answers every prompt of sums-prompts several times, one right answer to each is kept, and
tiny-chat is fine-tuned afresh on them, with rows of what taught it replayed. All parts are those that
docs/expert-iteration.md names; what this prints stands there.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import torch

from jobs.demo.finetune import CHATS, Data, Recipe, Start, finetune
from jobs.demo.measure import COLUMNS, PLAIN, TIME, Scores, measure, table
from jobs.demo.recorded import CHAT, rated
from jobs.demo.world import MODEL_NAME
from studio_core.data.shapes import HIGHEST_SCORE, Shape
from studio_core.methods.sft import SFT
from studio_core.runs.run_folder import MODEL
from studio_core.runs.spec import ResolvedModel

ROUNDS, ANSWERS = 3, 4
# A tenth of the preset's rate, which is for a base that cannot answer yet; tiny-chat is to change its style only.
CHANGES: dict[str, Any] = {"learning_rate": 2e-4, "epochs": 2.0, "replay_share": 0.3}


def right_ones(model: ResolvedModel, seed: int) -> list[dict[str, Any]]:
    """Of the answers to each prompt the first right one, if another is wrong: what `data best-of --min-score 1
    --margin 1` keeps. Where all are right, any way of answering will do, and the model has nothing to learn."""
    kept: dict[str, dict[str, Any]] = {}
    missed: set[str] = set()
    for row in rated(model, ANSWERS, seed):
        prompt = str(row["prompt"])
        if row["score"] == HIGHEST_SCORE:
            kept.setdefault(prompt, {"messages": row["prompt"] + row["completion"]})
        else:
            missed.add(prompt)
    return [row for prompt, row in kept.items() if prompt in missed]


def rounds(folder: Path, seed: int) -> list[tuple[str, Scores]]:
    """The figures after each round; *CPU s* is of its answers and its training."""
    model, figures = CHAT, []
    for number in range(1, ROUNDS + 1):
        began = time.process_time()
        rows = right_ones(model, 10 * seed + number)
        start = Start("tiny-chat", Data(f"round-{number}", Shape.CHAT, lambda rows=rows: rows), MODEL_NAME)  # type: ignore[misc]
        recipe = Recipe(f"round {number}", SFT, changes=CHANGES, apart=start, replay=CHATS)
        outcome = finetune(recipe, seed, folder / str(number))
        seconds = time.process_time() - began
        scores = measure(outcome.model, outcome.tokenizer, name=MODEL_NAME)
        figures.append((f"{recipe.name}, {len(rows)} answers", {**scores, TIME: round(seconds, 1)}))
        print(table([(name, [one]) for name, one in figures], (*COLUMNS, PLAIN, TIME)), flush=True)
        model = CHAT.model_copy(update={"name": recipe.name, "path": str(folder / str(number) / MODEL)})
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        rounds(Path(folder), chosen.seed)


if __name__ == "__main__":
    main()
