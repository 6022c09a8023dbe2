"""What each way of tuning costs and teaches, on one small task: `python -m jobs.demo.tunings`.

Writes studio_core/tunings/measured.json, which the Train page shows, and docs/tunings.md. tiny-base learns to answer
from 240 rows of the sample data, in 120 steps where a way of tuning asks for no more, and is asked held-out questions
as the Chat page asks them. `--missing` measures only what no figure is of yet; `--only ia3 --factors 3,10` tries other
rates and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import peft
import torch

from jobs.demo.abilities import MAX_NEW_TOKENS, right
from jobs.demo.finetune import PARAMETERS, STATIC
from jobs.demo.heldout import Item, suite
from jobs.demo.measure import processor
from jobs.generation.decoding import advance
from jobs.generation.lane import Row
from jobs.generation.models import Models
from jobs.training import alone
from jobs.training.start import script
from studio_core.generation.sampling import greedy
from studio_core.methods.base import read, starting_values
from studio_core.methods.memory import memory
from studio_core.methods.sft import SFT
from studio_core.models.inspect import inspect
from studio_core.models.size import ModelSize
from studio_core.runs import run_folder
from studio_core.runs.spec import ResolvedModel, TrainSpec
from studio_core.texts import text
from studio_core.tunings import TUNINGS, measured
from studio_core.tunings.base import Tuning
from studio_core.tunings.measured import Figure, Measured

ROWS, EPOCHS = 240, 4.0
BATCH, LENGTH = 8, 1024
"""Of the larger model whose memory is told: rows at once, and their tokens."""
ASKED = {"identity": 40, "facts": 60, "sums": 30}
SEEDS = (1, 2, 3)
QWEN = ModelSize(596_049_920, hidden=1024, layers=28, vocab=151_936, intermediate=3072, tied=True)
"""Qwen3-0.6B, whose memory on a GPU is told."""


@dataclass(frozen=True)
class Way:
    """A way of tuning, with what is changed of its defaults, and the rate as a multiple of its own."""

    tuning: Tuning
    options: dict[str, Any] = field(default_factory=dict)
    factor: float = 1.0

    @property
    def name(self) -> str:
        changed = ", ".join(f"{name.removeprefix('lora_')} {value}" for name, value in self.options.items())
        return text(self.tuning.title_key) + (f" ({changed})" if changed else "")

    def values(self) -> dict[str, Any]:
        """Options that differ from the defaults of method and tuning."""
        begin = starting_values(SFT, "balanced", self.tuning, PARAMETERS)
        return {
            **begin,
            "learning_rate": float(f"{begin['learning_rate'] * self.factor:.3g}"),
            "epochs": EPOCHS * self.tuning.epochs,
            "precision": "fp32",
            **self.options,
        }


LORA = TUNINGS["lora"]
WAYS = (
    *(Way(tuning) for tuning in TUNINGS.values()),
    Way(LORA, {"lora_rslora": True}, 0.4),
    Way(LORA, {"lora_dora": True}),
    Way(LORA, {"lora_plus": 16.0}, 0.25),
    Way(LORA, {"lora_init": "pissa"}, 0.5),
    Way(LORA, {"lora_init": "olora"}, 0.5),
)


@dataclass(frozen=True)
class Outcome:
    trained: int
    bytes: int
    """Of the weights of the result."""
    steps: int
    seconds: float
    """Of processor time, for 100 steps."""
    scores: dict[str, float]

    @property
    def score(self) -> float:
        return mean(self.scores.values())


def carried_out(way: Way, seed: int, folder: Path) -> Outcome:
    data = folder / "rows.jsonl"
    lines = (STATIC / "samples" / "tiny-sft-chat.jsonl").read_text(encoding="utf-8").splitlines()
    data.write_text("\n".join(lines[:: len(lines) // ROWS][:ROWS]) + "\n", encoding="utf-8")
    spec = TrainSpec(
        method="sft", tuning=way.tuning.name, model="tiny-base", dataset="rows", seed=seed, device="cpu",
        options=way.values(),
    )  # fmt: skip
    run = alone.prepare(spec, STATIC / "models" / "tiny-base", data, folder / "run")
    began = time.process_time()
    script("sft").main(run)  # type: ignore[attr-defined]
    seconds = time.process_time() - began
    reports = [json.loads(line) for line in (run / run_folder.EVENTS).read_text().splitlines()]
    [config] = [report["values"] for report in reports if report["type"] == "config"]
    [result] = [report for report in reports if report["type"] == "result"]
    made = run / run_folder.MODEL
    return Outcome(
        trained=config["trained_parameters"],
        bytes=sum(file.stat().st_size for file in made.glob("*.safetensors")),
        steps=result["step"],
        seconds=100 * seconds / result["step"],
        scores=scores_of(made, way.tuning),
    )


def scores_of(made: Path, tuning: Tuning) -> dict[str, float]:
    """Per cent of the questions of each group that are answered right, one answer to each."""
    base = str(STATIC / "models" / "tiny-base")
    model = (
        ResolvedModel(name="made", path=str(made))
        if tuning.whole
        else ResolvedModel(name="made", path=base, adapter=str(made))
    )
    items = [item for group, count in ASKED.items() for item in suite(group)[:count]]
    written = answers(model, items)
    return {
        group: 100
        * mean(right(item, said) for item, said in zip(items, written, strict=True) if item.suite == group)
        for group in ASKED
    }


def answers(model: ResolvedModel, items: Sequence[Item]) -> list[str]:
    opened, sampling = Models("cpu").open(model), greedy(MAX_NEW_TOKENS)
    rows = [Row(place, opened, opened.prompt(item.messages), sampling) for place, item in enumerate(items)]
    written = [""] * len(rows)
    for row, piece in advance(rows):
        written[row.side] += piece
    return written


def figure(way: Way, outcomes: Sequence[Outcome]) -> Figure:
    first, tuning = outcomes[0], way.tuning
    options = read(SFT, tuning, {**tuning.Options().model_dump(), **way.options})
    needed = memory(
        {SFT.result: QWEN}, tuning=tuning.name, rows=BATCH, length=LENGTH, device="gpu", options=options
    )
    return Figure(
        tuning=tuning.name,
        options=way.options,
        trained=first.trained,
        bytes=first.bytes,
        memory=round(needed.total),
        learning_rate=way.values()["learning_rate"],
        steps=first.steps,
        seconds=round(min(each.seconds for each in outcomes), 2),
        scores={group: round(mean(each.scores[group] for each in outcomes), 1) for group in ASKED},
        merges=tuning.merges,
        mixes=tuning.mixes and not way.options.get("lora_dora"),
    )


def of(way: Way, figures: Sequence[Figure]) -> list[Figure]:
    """Those of this way."""
    return [each for each in figures if (each.tuning, each.options) == (way.tuning.name, way.options)]


def all_of(figures: Sequence[Figure], seeds: int) -> Measured:
    """The figures with what they were measured with, here and now."""
    return Measured(
        date=time.strftime("%Y-%m-%d"),
        processor=processor(),
        versions={"torch": torch.__version__, "peft": peft.__version__},
        model="tiny-base",
        parameters=inspect(STATIC / "models" / "tiny-base").parameters,
        rows=ROWS,
        seeds=seeds,
        asked=ASKED,
        computed_for="Qwen3-0.6B",
        batch=BATCH,
        length=LENGTH,
        figures=list(figures),
    )


def row(each: Figure, parameters: int) -> str:
    """A line of the document's table."""
    tuning = TUNINGS[each.tuning]
    cells = (
        Way(tuning, each.options).name,
        f"{each.trained:,}",
        f"{100 * each.trained / parameters:.2f} %",
        f"{each.bytes / 1000:,.0f}",
        f"{each.memory / 1e9:.1f}",
        f"{each.learning_rate:g}",
        f"{each.steps}",
        f"{each.seconds:.1f}",
        *(f"{score:.0f}" for score in each.scores.values()),
        *(("", "") if tuning.whole else (_yes(each.merges), _yes(each.mixes))),
    )
    return "| " + " | ".join(cells) + " |"


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"


_INTRODUCTION = """# What each way of tuning costs and teaches

Written by `python -m jobs.demo.tunings` on {date}. {cpu}, one thread, fp32; {libraries}.
Mean of {seeds} seed(s).

tiny-base (2 million parameters) learns from {rows} rows of `tiny-sft-chat.jsonl`, batches of 8. *rate* is what the
presets begin with for models of that size, *steps* what the way of tuning asks for. *identity*, *facts* and *sums*:
per cent right of {asked} held-out questions, greedy, answered as in chat. *CPU s*: processor time for 100
steps, the least of the seeds. *kB*: weights of the result. *GB*: computed for Qwen3-0.6B on a GPU, 8 rows of 1,024
tokens, without activation checkpointing. Means of the groups may differ by
up to {chance} points by chance.

So little data and so small a model show which way of tuning can teach new knowledge at all, and at what rate. On models
of billions of parameters, which know already what they are to say, the small ones come much nearer to LoRA.

| | learns | share | kB | GB | rate | steps | CPU s | {groups} | merges | mixes in chat |
|---|{columns}---|---|
"""

_NOTES = """
*merges*: into the weights of the base, so that a complete model comes of it. *mixes in chat*: answers before and after
come from one batch on one base in memory; where not, the two are computed in turn, from the same base if no other kind
of adapter is on it.

IA3, LayerNorm tuning, prompt tuning and P-tuning teach tiny-base next to nothing here, and a plan says so of models
below 20 million parameters. BitFit and prefix tuning teach it some of each at rates some hundred times what is usual
for all weights.
OFT learns the facts best and the sums not at all at this rate. Six times the rate of the table breaks LoRA, rsLoRA,
DoRA, AdaLoRA, VeRA and OFT alike (next to no question is answered right).

Left out, and why:

- **BOFT**: PEFT composes its sparse rotations only with a CUDA kernel that it compiles on the machine; elsewhere it
  falls back to plain OFT without a word, and an adapter made with it cannot be loaded there.
- **LoftQ**: its adapter makes up for the error of a 4-bit base. Chat and export put adapters on the base in full
  precision, where that is an error of its own.
- **EVA**: it needs a pass over the data before the first step.
- **AdaLoRA's orthogonal regularisation**: PEFT adds it to a loss that TRL's trainers do not use.
"""


def document(all_: Measured) -> str:
    """docs/tunings.md."""
    head = _INTRODUCTION.format(
        date=all_.date,
        cpu=all_.processor,
        libraries=", ".join(f"{name} {version}" for name, version in all_.versions.items()),
        seeds=all_.seeds,
        rows=all_.rows,
        asked=", ".join(f"{count} {group}" for group, count in all_.asked.items()),
        chance=f"{all_.chance:.0f}",
        groups=" | ".join(all_.asked),
        columns="---:|" * (7 + len(all_.asked)),
    )
    rows = "\n".join(row(each, all_.parameters) for each in all_.figures)
    missing = [way.name for way in WAYS if not of(way, all_.figures)]
    unmeasured = f"\nNot measured yet: {', '.join(missing)}.\n" if missing else ""
    return head + rows + "\n" + unmeasured + _NOTES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="names of tunings, parted by commas; writes nothing")
    parser.add_argument("--factors", default="1", help="multiples of the rate to try, parted by commas")
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    parser.add_argument("--missing", action="store_true", help="keep the figures that there are")
    parser.add_argument("--out", type=Path, default=Path("docs/tunings.md"))
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    names = [name for name in chosen.only.split(",") if name]
    earlier = measured.measured() if chosen.missing else None
    known = earlier.figures if earlier else []
    ways = [way for way in WAYS if (way.tuning.name in names or not names) and not of(way, known)]
    seeds = earlier.seeds if earlier else chosen.seeds
    if names:
        factors = [float(factor) for factor in chosen.factors.split(",")]
        ways = [Way(way.tuning, way.options, way.factor * factor) for way in ways for factor in factors]
    figures = []
    for way in ways:
        outcomes = []
        for seed in SEEDS[:seeds]:
            with tempfile.TemporaryDirectory() as folder, redirect_stdout(sys.stderr):
                outcomes.append(carried_out(way, seed, Path(folder)))
        figures.append(figure(way, outcomes))
        print(row(figures[-1], inspect(STATIC / "models" / "tiny-base").parameters), flush=True)
    if not names:
        all_ = all_of([each for way in WAYS for each in of(way, [*known, *figures])], seeds)
        measured.write(all_)
        chosen.out.write_text(document(all_), encoding="utf-8")


if __name__ == "__main__":
    main()
