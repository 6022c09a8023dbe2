"""Rollouts and GRPO beside TRL's own: same model, prompts, rewards, number and length of answers; one thread.

The rival is ``GRPOTrainer`` as it comes: it writes with ``generate``, and computes activations twice. Answers are
counted up to the token that ends them. Rounds of both alternate. CPU time is what one thread worked, so that a busy
machine changes little.

Promised of the answers' tokens per second: at least 1.2 of TRL's.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TQDM_DISABLE="1", HF_HUB_DISABLE_TELEMETRY="1")

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, PrinterCallback
from transformers.utils import logging
from trl import GRPOConfig, GRPOTrainer

from jobs.training import grpo, rollouts
from jobs.training.course import Course
from studio_core import rewards
from studio_core.base.settings import bundled_folder
from studio_core.data.shapes import Shape
from studio_core.methods.grpo import GRPOOptions
from studio_core.runs.spec import ResolvedModel
from tests.bench.bench_training import Clock
from tests.bench.sizes import size
from tests.integration.miniature import make_run

ROUNDS, STEPS = size("GRPO_ROUNDS", 6, 1), size("GRPO_STEPS", 6, 1)
GROUP, BATCH, LONGEST = 8, 32, 48
PROMPTS = size("GRPO_PROMPTS", 32, 4)
"""Of the largest batch that is written at once."""
DEMO = bundled_folder() / "models" / "tiny-chat"

Trainers = dict[str, Callable[[], Any]]


def trainers(folder: Path) -> Trainers:
    """What makes each of the two afresh."""
    lines = (bundled_folder() / "samples" / "sums-prompts.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    options: dict[str, Any] = {
        "batch_size": BATCH,
        "num_generations": GROUP,
        "max_new_tokens": LONGEST,
        "max_length": 512,
        "learning_rate": 5e-5,
        "precision": "auto",
    }
    demo = ResolvedModel(name="tiny-chat", path=str(DEMO), parameters=2_000_000)
    run_dir = make_run(folder / "run", demo, rows, method="grpo", shape=Shape.PROMPT_ONLY, **options)
    course = Course.begin(run_dir, GRPOOptions)
    data = course.data(rollouts.rows)
    arguments = {"max_steps": STEPS + 1, "save_strategy": "no"}

    def model() -> Any:
        return AutoModelForCausalLM.from_pretrained(DEMO, dtype=torch.float32)

    def ours() -> Any:
        config = lambda **settings: GRPOConfig(**{**settings, **arguments})  # noqa: E731
        settings = grpo.settings(course.options)
        return rollouts.trainer_of(course, model(), data, grpo.RolloutGRPOTrainer, config, settings)

    def as_it_comes() -> Any:
        settings = GRPOConfig(
            output_dir=str(folder / "trl"),
            per_device_train_batch_size=BATCH,
            num_generations=GROUP,
            max_completion_length=LONGEST,
            learning_rate=course.options.learning_rate,
            bf16=course.machine.precision == "bf16",
            use_cpu=True,
            report_to="none",
            **arguments,
        )
        return GRPOTrainer(
            model=model(),
            reward_funcs=equality,
            args=settings,
            train_dataset=Dataset.from_list(rows),
            processing_class=course.tokenizer,
        )

    return {"studio": ours, "TRL": as_it_comes}


def equality(completions: list[Any], answer: list[str], **_: Any) -> list[float]:
    """The studio's default reward, as TRL calls rewards."""
    score = rewards.score(rewards.DEFAULT, {})
    return [
        score("", turns[-1]["content"], {"answer": reference})
        for turns, reference in zip(completions, answer, strict=True)
    ]


def writing(made: Trainers, prompts: int) -> None:
    """Answers to some prompts at once, eight to each."""
    both = {who: trainer() for who, trainer in made.items()}
    asked = [row["prompt_ids"] for row in both["studio"].train_dataset.select(range(prompts))]
    asked = [ids for ids in asked for _ in range(GROUP)]
    paces: dict[str, list[tuple[float, float]]] = {who: [] for who in both}
    for turn in range(ROUNDS):
        for who, trainer in both.items():
            trainer.state.global_step = turn  # By this the studio draws.
            torch.manual_seed(turn)
            cpu, wall = time.process_time(), time.perf_counter()
            answers, _ = trainer._generate_single_turn(asked, None, {}, GROUP)
            tokens = sum(map(len, answers))
            paces[who].append((tokens / (time.process_time() - cpu), tokens / (time.perf_counter() - wall)))
    told(f"{len(asked)} answers of up to {LONGEST} tokens", "tokens/s", paces, " (promised 1.2)")


def training(made: Trainers) -> None:
    """Whole steps, from the end of the first one on: writing, scoring, learning."""
    paces: dict[str, list[tuple[float, float]]] = {who: [] for who in made}
    for _ in range(max(1, ROUNDS // 2)):
        for who, trainer in made.items():
            clock, learner = Clock(), trainer()
            learner.add_callback(clock)
            learner.remove_callback(PrinterCallback)
            learner.train()
            (cpu, wall), (cpu_end, wall_end) = clock.marks[0], clock.marks[-1]
            paces[who].append((STEPS / (cpu_end - cpu), STEPS / (wall_end - wall)))
    told(f"GRPO, {BATCH} answers a step", "steps/s", paces, "")


def told(what: str, unit: str, paces: dict[str, list[tuple[float, float]]], promised: str) -> None:
    middle = {}
    for who, several in paces.items():
        middle[who], by_wall = (statistics.median(pace) for pace in zip(*several, strict=True))
        print(f"{what:32} {who:8}{middle[who]:9.2f} {unit} (CPU){by_wall:9.2f} (wall)")
    print(f"{what:32} studio / TRL: {middle['studio'] / middle['TRL']:.2f}{promised}")


def main() -> None:
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    print(f"tiny-chat, sums, one thread, medians of {ROUNDS} rounds of each; {STEPS} steps a training")
    with tempfile.TemporaryDirectory() as folder:
        made = trainers(Path(folder))
        writing(made, BATCH // GROUP)
        writing(made, PROMPTS)
        training(made)


if __name__ == "__main__":
    main()
