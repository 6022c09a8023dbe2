"""Teaches tiny-chat to call a calculator: `python -m jobs.demo.tool_use --seeds 1 2 3`.

It cannot multiply, nor add three digits, and has never seen a call. Demonstrations (SFT) show it the form; GRPO then
learns by right final answers alone when and how to call. Measured on 300 problems of which no stage of any
training has seen one, greedily, with the environment and without it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from jobs.demo.calculations import problem
from jobs.demo.finetune import PARAMETERS, STATIC, Data, Recipe, Rows, Start, carry_out, finetune, spec_of
from jobs.demo.world import MODEL_NAME
from jobs.generation.trajectories import Trajectory
from jobs.training.turns import Turns
from jobs.training.writing import opened
from studio_core import rewards
from studio_core.data.chat_format import ChatFormat
from studio_core.data.shapes import Shape
from studio_core.environments import ENVIRONMENTS
from studio_core.generation.sampling import Sampling
from studio_core.methods.grpo import GRPO
from studio_core.methods.sft import SFT
from studio_core.runs.run_folder import MODEL
from studio_core.runs.spec import ResolvedModel, RewardChoice
from studio_core.statistics.winrate import wilson

DEMONSTRATIONS, PROMPTS, UNSEEN = 3000, 600, 300
# Many different numbers are what copying them into a call is learnt by, and steps enough to get there: 188 of 16 rows
# ended at 58 to 99 % right by chance, as did fewer demonstrations that come three times. Nothing comes twice here.
SFT_CHANGES: dict[str, Any] = {"learning_rate": 1e-3, "epochs": 1.0, "batch_size": 8}
# Four times the preset's rate ended two points lower after 30 steps. At temperature 1 one of 70 tokens in doubt
# spoils an answer.
# The definitions are 434 tokens of this tokenizer, the question ten: the demonstrations show the form instead.
GRPO_CHANGES: dict[str, Any] = {
    "environment": "calculator", "tools_in_prompt": False, "max_turns": 3, "max_new_tokens": 160,
    "epochs": 0.2, "temperature": 0.6,
}  # fmt: skip
CHAT = ResolvedModel(name="tiny-chat", path=str(STATIC / "models" / "tiny-chat"), parameters=PARAMETERS)


def demonstrations(seed: int) -> Rows:
    """Chats in which the calculator is asked and its result is the answer."""
    rng, rows = random.Random(seed), []
    for _ in range(DEMONSTRATIONS):
        question, expression, value = problem(rng, test=False)
        call = json.dumps([{"name": "calculator", "arguments": {"expression": expression}}])
        turns = [
            ("user", question, ""), ("assistant", "", call), ("tool", str(value), ""),
            ("assistant", f"The answer is \\boxed{{{value}}}.", ""),
        ]  # fmt: skip
        rows.append(
            {
                "messages": [
                    {"role": role, "content": content, "tool_calls": called or None}
                    for role, content, called in turns
                ]
            }
        )
    return rows


def prompts(seed: int, count: int, *, test: bool) -> Rows:
    rng = random.Random(seed)
    drawn = (problem(rng, test=test) for _ in range(count))
    return [
        {"prompt": [{"role": "user", "content": question}], "answer": str(value)}
        for question, _, value in drawn
    ]


def measured(model: ResolvedModel, with_tools: bool) -> dict[str, Any]:
    """Shares of the unseen problems that a tool was called in, and that were answered right."""
    tokenizer = AutoTokenizer.from_pretrained(model.path)
    network = AutoModelForCausalLM.from_pretrained(model.path, dtype=torch.float32)
    course: Any = SimpleNamespace(
        run=SimpleNamespace(spec=SimpleNamespace(seed=0), model=model), options=SimpleNamespace(max_length=512),
        tokenizer=tokenizer, chat=ChatFormat.load(Path(model.path).resolve()), stop=False,
    )  # fmt: skip
    turns = Turns(course, ENVIRONMENTS["calculator"] if with_tools else None, GRPO_CHANGES["max_turns"])
    writer, right = opened(course, network), rewards.score("equality", {})
    rows = prompts(0, UNSEEN, test=True)
    sampling = Sampling(temperature=0, max_tokens=GRPO_CHANGES["max_new_tokens"])
    texts: list[Trajectory] = []
    for start in range(0, UNSEEN, 50):
        asked = [course.chat.prompt(row["prompt"]) for row in rows[start : start + 50]]
        texts += turns.write(writer, asked, sampling, 0)
    hits = sum(
        right(row["prompt"][0]["content"], text.answer, row) for row, text in zip(rows, texts, strict=True)
    )
    low, high = wilson(hits / UNSEEN, UNSEEN)
    print(rows[0]["prompt"][0]["content"], [turn["content"] for turn in texts[0].turns])
    return {
        "called": round(100 * sum(text.calls > 0 for text in texts) / UNSEEN, 1),
        "right": round(100 * hits / UNSEEN, 1),
        "interval": [round(100 * low, 1), round(100 * high, 1)],
    }


def shown(seed: int, folder: Path) -> tuple[ResolvedModel, float]:
    """tiny-chat after the demonstrations, and the CPU seconds that this took."""
    data = Data("calculator-demonstrations", Shape.CHAT, lambda: demonstrations(seed))
    recipe = Recipe("demonstrations", SFT, changes=SFT_CHANGES, apart=Start("tiny-chat", data, MODEL_NAME))
    outcome = finetune(recipe, seed, folder)
    return CHAT.model_copy(update={"name": "shown", "path": str(folder / MODEL)}), outcome.cpu_seconds


def rewarded(seed: int, folder: Path, taught: ResolvedModel) -> tuple[ResolvedModel, float]:
    """That model after GRPO with the calculator, rewarded for right final answers only."""
    data = Data("calculator-prompts", Shape.PROMPT_ONLY, lambda: prompts(seed, PROMPTS, test=False))
    recipe = Recipe("tool use", GRPO, changes=GRPO_CHANGES, apart=Start("tiny-chat", data, MODEL_NAME))
    folder.mkdir()
    run = spec_of(recipe, seed, folder).model_copy(update={"model": taught})
    run.spec.rewards = [RewardChoice(name="equality")]
    seconds = carry_out(run, folder)
    return taught.model_copy(update={"path": str(folder / MODEL)}), seconds


def learnt(seed: int, folder: Path) -> dict[str, Any]:
    """The figures of one seed: after the demonstrations, after GRPO."""
    folder.mkdir()
    figures: dict[str, Any] = {}
    model, seconds = shown(seed, folder / "sft")
    figures["demonstrations"] = {**measured(model, True), "cpu_seconds": round(seconds, 1)}
    print(seed, figures, flush=True)
    model, seconds = rewarded(seed, folder / "grpo", model)
    figures["grpo"] = {**measured(model, True), "cpu_seconds": round(seconds, 1)}
    print(seed, figures, flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--out", type=Path, help="where the figures are written as JSON")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    figures: dict[str, Any] = {"tiny-chat": measured(CHAT, False)}
    print(figures, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for seed in chosen.seeds:
            figures[f"seed {seed}"] = learnt(seed, Path(folder, str(seed)))
            if chosen.out:
                chosen.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
