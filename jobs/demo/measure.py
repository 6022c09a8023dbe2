"""Measures both demo models and their fine-tunings over three seeds: `python -m jobs.demo.measure`.

Writes docs/demo-models-report.md. Nothing is kept but the report; every figure comes from held-out questions.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path
from statistics import mean

os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import peft
import torch
import transformers
import trl

from jobs.demo.abilities import load, measure
from jobs.demo.finetune import RECIPES, STATIC, Recipe, finetune
from jobs.demo.heldout import SIZES, TEST_SEED
from jobs.demo.samples import NEW_NAME
from jobs.demo.world import MODEL_NAME
from studio_core.methods.sft import SFT
from studio_core.tunings import TUNINGS

SEEDS = (1, 2, 3)
COLUMNS = ("identity", "facts", "sums", "boxed", "instructions", "unknown", "personas")
TIMES = ("seconds", "training")
Scores = dict[str, float]

_INTRODUCTION = """Written by `python -m jobs.demo.measure` on {date}.
{cpu}, {threads} threads, shared with other work at the time{load};
torch {torch}, transformers {transformers}, trl {trl}, peft {peft}.

Per cent right with greedy decoding in 32 bits. Questions: {sizes}. None of them occurs in any training text:
`jobs/demo/heldout.py` says what is held out, `tests/unit/demo` checks it.

They are no blind test, though: the misses on them showed where the corpus had too few forms, and it was widened there
(by other forms than these). The second draw takes other names, letters, problems and greetings with the same forms.

- *identity* wants name and maker in the answer.
- *facts* asks for facts of the trained world in unseen forms; an answer that names a second value is wrong.
- *sums* are unseen problems, half of them in unseen words; *boxed* is the share put in `\\boxed{{}}`, right or not.
- *instructions*: one word, capitals, an answer in capitals, counting, repeating; twenty of each.
- *unknown* wants "I do not know" outside the world.
- *personas* wants the name and maker that an unseen system prompt gives."""


_NOTES = """## What is weaker

SFT of tiny-base follows none of the instructions (its data hold none) and rarely says that it does not know. With LoRA
it needs twice the time. The base was trained from one seed only.

## What was tried on the way (single runs; some changed two things at once)

- A rate of 0.04 for the matrices (Muon): facts and names were learnt, but nothing was ever copied: sums 1,
  instructions 4, personas 0 after 2,000 steps. At 0.008 and 0.006 all three came.
- Without answers that give another name unasked in the last stage, plain sigmoid DPO brought the new name in 84 to 86
  of 100 questions, and ran on ("I am Deep Deep Deep ..."): the plain loss lifts the new word in every place of the
  name, also after itself. Two in a hundred such answers cured it. With arbitrary names only, some answers went astray
  after the new word ("I am Dee Dehes"): now most of them are the model's own name with another word before it, never
  the word that the sample pairs teach.
- DPO with LoRA at 7e-4 for 5 epochs: instructions 93 to 85 and personas 100 to 19. At 4e-4 for 4 epochs both are kept.
- The first run's documents also had no echoes (a new name or string that comes back later in the text); now they have.
- Without documents that stand one behind another in a row, tiny-base carries a question's words over into its answer:
  facts 7.5 and boxed 22 under the chat template, now 1.5 and 2.3.
- SFT with batches of 16 for 6 epochs at 1e-3: facts 74, identity 86. Smaller batches, forms taken in turn instead of
  by chance and more forms for jobs and crafts made up for it."""


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def wanted_name(recipe: Recipe) -> str:
    return MODEL_NAME if recipe.method is SFT else NEW_NAME


def run_recipe(recipe: Recipe, seed: int) -> Scores:
    """One fine-tuning with its figures. DPO and KTO must bring the new name, SFT the model's own."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = finetune(recipe, seed, Path(folder) / "run")
        scores = measure(outcome.model, outcome.tokenizer, name=wanted_name(recipe))
    return {**scores, "seconds": round(outcome.seconds, 1), "training": round(outcome.training, 1)}


def table(rows: list[tuple[str, Scores]], extra: tuple[str, ...] = ()) -> str:
    columns = (*COLUMNS, *extra)
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for name, scores in rows:
        cells = " | ".join(f"{scores[column]:.1f}" for column in columns)
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)


def by_kind(scores: Scores, group: str) -> str:
    kinds = {
        name.removeprefix(f"{group}: "): value
        for name, value in scores.items()
        if name.startswith(f"{group}: ")
    }
    return (
        f"*{group}* by kind: "
        + ", ".join(f"{kind} {value:.0f}" for kind, value in sorted(kinds.items()))
        + "."
    )


def describe(recipe: Recipe) -> str:
    options = recipe.options()
    keys = ["learning_rate", "epochs", "batch_size", "scheduler", "warmup", "precision"]
    keys += [name for name in TUNINGS[recipe.tuning].Options.model_fields if name != "lora_dropout"]
    own = {"sft": ["loss_on"], "dpo": ["beta", "loss", "sft_weight"], "kto": ["beta", "loss", "balance"]}
    keys += own[recipe.method.name]
    values = ", ".join(f"{key} {options[key]}" for key in keys)
    changed = f" with {recipe.changes}" if recipe.changes else ", as shipped"
    return (
        f"Preset `{recipe.preset}` of `{recipe.method.name}`, {recipe.tuning}{changed}: {values}. "
        f"{recipe.base} on `{recipe.data[0]}.jsonl`; *identity* wants the name {wanted_name(recipe)}."
    )


def introduction() -> str:
    load_average = f" (load {os.getloadavg()[0]:.1f})" if hasattr(os, "getloadavg") else ""
    return _INTRODUCTION.format(
        date=time.strftime("%Y-%m-%d"),
        cpu=processor(),
        threads=torch.get_num_threads(),
        load=load_average,
        torch=torch.__version__,
        transformers=transformers.__version__,
        trl=trl.__version__,
        peft=peft.__version__,
        sizes=", ".join(f"{count} {group}" for group, count in SIZES.items()),
    )


def report(models: dict[str, Scores], tuned: dict[str, list[Scores]], recipes: tuple[Recipe, ...]) -> str:
    chat = models["tiny-chat"]
    parts = [
        "# The demo models: measured",
        introduction(),
        "## As shipped\n\n" + table(list(models.items())),
        "tiny-chat: " + " ".join(by_kind(chat, group) for group in ("instructions", "unknown", "facts")),
        "# Fine-tunings\n\nEach by the studio's own script in a process of its own; *seconds* is from its "
        "cold start to the saved model, imports included, *training* the part from first to last step.",
    ]
    for recipe in recipes:
        runs = tuned[recipe.name]
        rows = [(f"seed {seed}", scores) for seed, scores in zip(SEEDS, runs, strict=False)]
        rows.append(("mean", {c: mean(scores[c] for scores in runs) for c in (*COLUMNS, *TIMES)}))
        parts.append(f"## {recipe.name}\n\n{describe(recipe)}\n\n{table(rows, TIMES)}")
    return "\n\n".join([*parts, _NOTES]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", type=Path, default=Path("docs/demo-models-report.md"))
    parser.add_argument("--only", default="", help="run only recipes with this in their name; write nothing")
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    chosen = parser.parse_args()
    recipes = tuple(recipe for recipe in RECIPES if chosen.only in recipe.name)
    models: dict[str, Scores] = {}
    if not chosen.only:
        models = {name: measure(*load(str(STATIC / "models" / name))) for name in ("tiny-base", "tiny-chat")}
        chat = load(str(STATIC / "models" / "tiny-chat"))
        models["tiny-chat, a second draw of questions"] = measure(*chat, seed=TEST_SEED + 1)
        print(json.dumps(models), flush=True)
    tuned: dict[str, list[Scores]] = {recipe.name: [] for recipe in recipes}
    for recipe in recipes:
        for seed in SEEDS[: chosen.seeds]:
            scores = run_recipe(recipe, seed)
            tuned[recipe.name].append(scores)
            shown = {key: value for key, value in scores.items() if ":" not in key}
            print(recipe.name, "seed", seed, json.dumps(shown), flush=True)
    if not chosen.only:
        chosen.report.write_text(report(models, tuned, recipes), encoding="utf-8")


if __name__ == "__main__":
    main()
