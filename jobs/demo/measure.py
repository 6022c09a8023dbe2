"""Measures both demo models and their fine-tunings over three seeds: `make report-methods`.

Writes docs/demo-models-report.md from the figures in docs/demo-models-report.json. With ``--only`` what has this in its
name is measured anew, and all else stays as it was measured before. No model is kept, and every figure of an ability
comes from held-out questions.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import tempfile
import time
from pathlib import Path
from statistics import mean, stdev
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "1000")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import peft
import torch
import transformers
import trl
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from jobs.demo import abilities
from jobs.demo.abilities import load
from jobs.demo.finetune import RECIPES, STATIC, Recipe, Start, finetune
from jobs.demo.heldout import SIZES, TEST_SEED
from jobs.demo.plain_text import DOCUMENTS, documents, loss_on, other_world_anew
from studio_core.data.shapes import Shape

SEEDS = (1, 2, 3)
COLUMNS = ("identity", "facts", "sums", "boxed", "instructions", "unknown", "personas")
PLAIN, NEW, TIME = "plain text", "new text", "CPU s"
Scores = dict[str, float]

NOTHING = "none"
SHIPPED = "as shipped"
"""Where the figures of the models themselves stand among those of the recipes."""

_STUDENT = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78}
"""Of so many seeds: the 97.5 % point of Student's distribution with one degree of freedom less."""

_INTRODUCTION = """Written by `make report-methods` on {date}.
Measured on {machines}; shared with other work at the time.

Per cent right with greedy decoding in 32 bits. Questions: {sizes}. None of them occurs in any training text:
`jobs/demo/heldout.py` says what is held out, `tests/unit/demo` checks it.

They are no blind test, though: the misses on them showed where the corpus had too few forms, and it was widened there
(by other forms than these). The second draw takes other names, letters, problems and greetings with the same forms.

- *identity* wants name and maker in the answer.
- *facts* asks for facts of the trained world in unseen forms; an answer that names a second value is wrong.
- *sums* are unseen problems, half of them in unseen words; *boxed* is the share put in `\\boxed{{}}`, right or not.
- *instructions*: one word, capitals, an answer in capitals, counting, repeating; twenty of each.
- *unknown* wants "I do not know" outside the world.
- *personas* wants the name and maker that an unseen system prompt gives.
- *plain text* is no share but a loss: nats a token of {documents} documents of the kind that tiny-base was made of, and
  that it has not seen. What it rises by is forgotten. *new text* is the same of another world, of which only continued
  pre-training tells."""

_TUNED = """# Fine-tunings

Each by the studio's own script, all in one process; *CPU s* is the processor time of one run, from loading its base to
the saved model. A figure is the mean over {seeds} seeds, ± half of its 95 % interval (Student's, over the seeds). Rows
without *CPU s* are of 2026-11-21, each run in a process of its own."""


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


def measure(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, **given: Any) -> Scores:
    """Abilities in per cent, and the loss on plain text."""
    scores = abilities.measure(model, tokenizer, **given)
    losses = {PLAIN: documents(), NEW: other_world_anew()}
    return {**scores, **{name: round(loss_on(texts, model, tokenizer), 3) for name, texts in losses.items()}}


def run_recipe(recipe: Recipe, seed: int) -> Scores:
    """One fine-tuning with its figures."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = finetune(recipe, seed, Path(folder) / "run")
        scores = measure(outcome.model, outcome.tokenizer, name=recipe.start.wants)
    return {**scores, TIME: round(outcome.cpu_seconds, 1)}


def table(rows: list[tuple[str, list[Scores]]], columns: tuple[str, ...]) -> str:
    """A row for each name, with what its runs have in common."""
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for name, runs in rows:
        digits = {PLAIN: 2, NEW: 2}
        measured = {column: [scores[column] for scores in runs if column in scores] for column in columns}
        cells = [cell(values, digits.get(column, 1)) for column, values in measured.items()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def cell(values: list[float], digits: int) -> str:
    """The mean, and half of its interval where there are several; a dash for what was not measured."""
    if not values:
        return "–"
    shown = f"{mean(values):.{digits}f}"
    if len(values) == 1:
        return shown
    half = _STUDENT[len(values)] * stdev(values) / math.sqrt(len(values))
    return f"{shown} ± {half:.{digits}f}"


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
    """What a recipe is: all that its options say beyond how often it reports and saves."""
    silent = ("logging_steps", "save_steps", "max_steps", "reasoning", "activation_checkpointing")
    values = ", ".join(f"{name} {value}" for name, value in recipe.options().items() if name not in silent)
    changed = f" with {recipe.changes}" if recipe.changes else ", as shipped"
    replay = f", replay from {recipe.replay.name}" if recipe.replay else ""
    return (
        f"- **{recipe.name}**: preset `{recipe.preset}` of `{recipe.method.name}`{changed}{replay}. {values}."
    )


def machine() -> str:
    """What the figures were measured with."""
    libraries = ", ".join(f"{one.__name__} {one.__version__}" for one in (torch, transformers, trl, peft))
    return f"{processor()}, {torch.get_num_threads()} threads, {libraries}"


def introduction(machines: str) -> str:
    """What the columns of a report are, and on which machines it was measured."""
    return _INTRODUCTION.format(
        date=time.strftime("%Y-%m-%d"),
        machines=machines,
        sizes=", ".join(f"{count} {group}" for group, count in SIZES.items()),
        documents=DOCUMENTS,
    )


Figures = dict[str, dict[str, Any]]
"""By recipe: ``machine``, ``date`` and the scores of each seed as ``runs``; of ``SHIPPED`` those of each model."""


def report(figures: Figures, recipes: tuple[Recipe, ...]) -> str:
    """The report, of all that was measured; figures of an earlier form of it lack some columns."""
    measured = [recipe for recipe in recipes if recipe.name in figures]
    parts = [
        "# The demo models: measured",
        introduction("; ".join(dict.fromkeys(one["machine"] for one in figures.values()))),
    ]
    if SHIPPED in figures:
        models = figures[SHIPPED]["runs"]
        rows = [(name, [scores]) for name, scores in models.items()]
        parts.append("## As shipped\n\n" + table(rows, (*COLUMNS, PLAIN)))
        groups = ("instructions", "unknown", "facts")
        parts.append("tiny-chat: " + " ".join(by_kind(models["tiny-chat"], group) for group in groups))
    parts.append(_TUNED.format(seeds=len(SEEDS)))
    for start in dict.fromkeys(recipe.start for recipe in measured):
        together = [recipe for recipe in measured if recipe.start == start]
        parts.append(_group(start, together, figures))
    return "\n\n".join([*parts, _NOTES]) + "\n"


def _group(start: Start, recipes: list[Recipe], figures: Figures) -> str:
    """Recipes that can be compared, since they begin with the same model and data."""
    rows = [(recipe.name, figures[recipe.name]["runs"]) for recipe in recipes]
    title = f"## {start.base} on {start.data.name} ({start.data.shape})"
    wants = f"*identity* wants the name {start.wants}."
    losses = (PLAIN, NEW) if start.data.shape is Shape.TEXT else (PLAIN,)
    return "\n\n".join(
        [title, wants, table(rows, (*COLUMNS, *losses, TIME)), "\n".join(map(describe, recipes))]
    )


def shipped() -> dict[str, Scores]:
    models = {name: measure(*load(str(STATIC / "models" / name))) for name in ("tiny-base", "tiny-chat")}
    again = measure(*load(str(STATIC / "models" / "tiny-chat")), seed=TEST_SEED + 1)
    return {**models, "tiny-chat, a second draw of questions": again}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", type=Path, default=Path("docs/demo-models-report.md"))
    parser.add_argument("--only", default="", help="measure only what has this in its name; none: nothing")
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    chosen = parser.parse_args()
    kept = chosen.report.with_suffix(".json")
    figures: Figures = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}

    def keep(name: str, runs: Any) -> None:
        figures[name] = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "runs": runs}
        kept.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")

    if chosen.only in SHIPPED and chosen.only != NOTHING:
        keep(SHIPPED, shipped())
    for recipe in (recipe for recipe in RECIPES if chosen.only in recipe.name and chosen.only != NOTHING):
        runs: list[Scores] = []
        for seed in SEEDS[: chosen.seeds]:
            runs.append(run_recipe(recipe, seed))
            keep(recipe.name, runs)
        print(recipe.name, table([("", figures[recipe.name]["runs"])], (*COLUMNS, PLAIN, TIME)), flush=True)
    chosen.report.write_text(report(figures, RECIPES), encoding="utf-8")


if __name__ == "__main__":
    main()
