"""What a training was said to need of memory beside what it really held at its peak, on the CPU.

Promised: within 25 % for every combination of method, tuning, precision, batch size and length here, on the demo model
and on one of 98 million parameters with random weights. Each training runs in a process of its own for two steps:
after the first the optimiser's state is there, so the second is the peak. It writes docs/memory.md; with ``BENCH_ONLY``
those whose name begins so are measured anew, and all else stays as it was measured before.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.update(
    HF_HUB_OFFLINE="1", TQDM_DISABLE="1", HF_HUB_DISABLE_TELEMETRY="1", TRL_EXPERIMENTAL_SILENCE="1"
)

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

from jobs.demo.measure import processor
from jobs.training import alone
from studio_core.base.settings import bundled_folder
from studio_core.data.shapes import Shape
from studio_core.methods import METHODS, memory
from studio_core.methods.base import read
from studio_core.models.inspect import inspect
from studio_core.models.size import ModelSize
from studio_core.runs.run_folder import EVENTS, SPEC
from studio_core.runs.spec import RewardChoice, RunSpec, TrainSpec
from studio_core.tunings import named
from tests.bench.sizes import SHORT

ROOT = Path(__file__).resolve().parent.parent.parent
DEMO = bundled_folder() / "models" / "tiny-chat"
PROMISE = 0.25
_PARTS = ("weights", "gradients", "optimiser", "activations", "logits", "runtime")
_ROWS = 80
_AROUND = 16
"""Tokens of a record that its answer is not: those of the template, and of the question."""
_WRITTEN = 16
"""Tokens that a model may write itself. The demo model ends early, so that the rest of the length is its prompt."""
_REWARDS = [RewardChoice(name="longer", options={"characters": 60})]
"""Which differs from answer to answer: where all are worth the same, some methods take no step at all."""
_WORDS = "the river runs from the hills to the sea and nobody knows how old it is "


@dataclass(frozen=True)
class Combination:
    model: str
    method: str
    tuning: str
    precision: str
    batch_size: int
    length: int
    more: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        more = "".join(f", {name} {value}" for name, value in self.more.items())
        words = (self.model, self.method, self.tuning, self.precision, self.batch_size, self.length)
        return " | ".join(map(str, words)) + more


def combinations() -> list[Combination]:
    ways = ("full", "lora", "qlora")
    demo = [
        Combination("demo", method, tuning, "fp32", rows, length)
        for method in METHODS
        for tuning in METHODS[method].tunings
        for rows, length in ((16, 128), (32, 256))
        # The small size for two of them only: what it says does not depend on the objective.
        if tuning in ways and (rows == 32 or method in ("sft", "dpo"))
    ]
    # One method of each kind: one sequence a row, two with a reference, a model that scores, a second model.
    large = [
        Combination("100M", method, tuning, "fp32", rows, length)
        for method in ("sft", "sft-kl", "dpo", "reward", "distillation")
        for tuning in ways
        if tuning in METHODS[method].tunings
        for rows, length in ((4, 128), (8, 256))
        if rows == 8 or method == "sft"
    ]
    ways_more = [
        Combination("100M", "sft", tuning, "fp32", 4, 128)
        for tuning in METHODS["sft"].tunings
        if tuning not in ways
    ]
    others = [
        Combination("100M", "sft", tuning, "bf16", 4, 128) for tuning in ("full", "lora")
    ] + [
        Combination("100M", "sft", "full", "fp32", 8, 256, {"activation_checkpointing": "on"}),
        Combination("100M", "sft", "full", "fp32", 4, 128, {"optimizer": "adamw_8bit"}),
        Combination("100M", "sft", "full", "fp32", 4, 128, {"optimizer": "adafactor"}),
        Combination("100M", "dpo", "full", "fp32", 4, 128, {"precompute_reference": True}),
    ]  # fmt: skip
    return [*demo, *large, *ways_more, *others]


def large_model(folder: Path) -> Path:
    """98 million parameters at random, with the demo models' tokenizer."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=16_384, hidden_size=768, intermediate_size=2048, num_hidden_layers=12,
        num_attention_heads=12, num_key_value_heads=12, tie_word_embeddings=True,
        bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(DEMO)
    model = LlamaForCausalLM(config)
    model.config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def records(shape: str, length: int) -> list[dict[str, Any]]:
    """Records of a shape with about ``length`` tokens each, which all fit."""
    tokenizer = AutoTokenizer.from_pretrained(DEMO)
    ids = tokenizer(_WORDS * (length // 8))["input_ids"][: length - _AROUND]
    long = tokenizer.decode(ids[:-2])
    answers = [f"{long} {number % 10}" for number in range(_ROWS)]
    match Shape(shape):
        case Shape.CHAT:
            return [
                {"messages": [{"role": "user", "content": "go"}, {"role": "assistant", "content": answer}]}
                for answer in answers
            ]
        case Shape.PREFERENCE:
            return [{"prompt": "go", "chosen": answer, "rejected": answer + "."} for answer in answers]
        case Shape.UNPAIRED_PREFERENCE:
            return [
                {"prompt": "go", "completion": answer, "label": number % 2 == 0}
                for number, answer in enumerate(answers)
            ]
        case Shape.SCORED:
            return [
                {"prompt": "go", "completion": answer, "score": 1 + number % 10}
                for number, answer in enumerate(answers)
            ]
        case Shape.RANKING:
            return [
                {
                    "prompt": "go",
                    "completions": [answer + end for end in ("", ".", "!", "?")],
                    "ranks": [1, 2, 3, 4],
                }
                for answer in answers
            ]
        case Shape.STEPWISE:
            half = len(long) // 2
            return [
                {"prompt": "go", "completions": [answer[:half], answer[half:]], "labels": [True, False]}
                for answer in answers
            ]
        case Shape.PROMPT_ONLY:
            asked = tokenizer.decode(ids[: length - _AROUND - _WRITTEN])
            return [{"prompt": f"{asked} {number % 10}", "answer": "7"} for number in range(_ROWS)]
        case other:
            raise ValueError(f"no records of the shape {other}")


@dataclass(frozen=True)
class Outcome:
    combination: Combination
    computed: int
    used: int
    parts: dict[str, int]

    @property
    def off(self) -> float:
        """What was computed, as a share more or less than what was used."""
        return self.computed / self.used - 1


def measure(combination: Combination, model: Path, folder: Path) -> Outcome:
    """Two steps in a forked process, and what the plan's formula says of them."""
    method = METHODS[combination.method]
    data = folder / "data.jsonl"
    lines = records(method.shapes[0], combination.length)
    data.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    options = {
        "batch_size": combination.batch_size, "max_length": combination.length, "max_steps": 2, "eval_share": 0.0,
        "gradient_accumulation": 1, "precision": combination.precision, **combination.more,
    }  # fmt: skip
    if method.rewards:
        options["max_new_tokens"] = _WRITTEN
    if combination.method == "distillation":
        options["mode"] = "data"  # Texts of the full length, whoever wrote them.
    needed_roles = [name for name, role in method.named_roles.items() if not role.optional]
    spec = TrainSpec(
        method=combination.method, tuning=combination.tuning, model=model.name, dataset=data.name,
        options=options, device="cpu", models={name: str(model) for name in needed_roles},
        rewards=_REWARDS if method.rewards else [],
    )  # fmt: skip
    run_dir = alone.prepare(spec, model, data, folder / "run")
    used = in_a_process(run_dir)
    run = RunSpec.model_validate_json((run_dir / SPEC).read_text(encoding="utf-8"))
    chosen: Any = read(method, named(spec.tuning), run.options)
    found = inspect(model)
    size = ModelSize.of(found.parameters, found.details())
    needed = memory.of_run(
        memory.sizes_by_role(method, size, {}, chosen), chosen, tuning=spec.tuning, batch_size=chosen.batch_size,
        longest=combination.length, device="cpu", available=0,
    )  # fmt: skip
    parts = {name: getattr(needed, name) for name in _PARTS}
    return Outcome(combination, needed.computed, used, parts)


def in_a_process(run_dir: Path) -> int:
    """Bytes at the peak of a training in a process of its own, as its worker reports them."""
    method = RunSpec.model_validate_json((run_dir / SPEC).read_text(encoding="utf-8")).spec.method
    subprocess.run(
        [sys.executable, "-m", METHODS[method].script, str(run_dir)],
        check=True, cwd=ROOT, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    events = [json.loads(line) for line in (run_dir / EVENTS).read_text(encoding="utf-8").splitlines()]
    return int(next(event["peak_memory"] for event in events if event["type"] == "result"))


def line_of(outcome: Outcome) -> str:
    amounts = [*outcome.parts.values(), outcome.computed, outcome.used]
    figures = " | ".join(f"{amount / 1e6:.0f}" for amount in amounts)
    return f"| {outcome.combination} | {figures} | {outcome.off:+.0%} |"


def known(document: str) -> dict[str, str]:
    """The lines of a document that was written before, by their combinations."""
    lines = [line for line in document.splitlines() if line.endswith("% |")]
    return {" | ".join(line.strip("| ").split(" | ")[:6]): line for line in lines}


def written(lines: dict[str, str]) -> str:
    """The document, with all combinations of which there is a line."""
    wanted = [str(combination) for combination in combinations()]
    there = {name: lines[name] for name in wanted if name in lines}
    offs = [int(line.split("|")[-2].strip(" %")) for line in there.values()]
    right = sum(abs(off) <= 100 * PROMISE for off in offs)
    missing = [name.replace(" | ", " ") for name in wanted if name not in lines]
    head = ("model", "method", "tuning", "precision", "batch", "length", *_PARTS, "estimate", "peak", "off")
    rule = "|" + "---|" * 6 + "---:|" * (len(_PARTS) + 3)
    return f"""# Memory: what was said, and what was held

Written by `make bench memory` ({processor()}, one thread). MB of main memory.
Of {len(offs)} combinations {right} are within {PROMISE:.0%}, the worst is {max(offs, key=abs):+d}% off.
Two steps of each training by its own script, in a process of its own; *peak* is the most that the process held, as
its run reports it. *demo* is tiny-chat (2 million parameters), *100M* a model of 98 million parameters with random
weights. On the page an estimate is then corrected by what earlier runs of the machine held.

Not measured: {"; ".join(missing) or "none"}.

{chr(10).join([f"| {' | '.join(head)} |", rule, *there.values()])}
"""


def main() -> None:
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    short = bool(os.environ.get(SHORT))
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as scratch:
        models = {"demo": DEMO}
        wanted = [one for one in combinations() if str(one).startswith(os.environ.get("BENCH_ONLY", ""))]
        if short:
            wanted = wanted[:1]
        if any(combination.model == "100M" for combination in wanted):
            models["100M"] = large_model(Path(scratch) / "random-100m")
        for number, combination in enumerate(wanted):
            folder = Path(scratch) / str(number)
            folder.mkdir()
            outcomes.append(measure(combination, models[combination.model], folder))
            print(line_of(outcomes[-1]), flush=True)
            shutil.rmtree(folder)
    if not short:
        document = ROOT / "docs" / "memory.md"
        lines = known(document.read_text(encoding="utf-8"))
        lines |= {str(outcome.combination): line_of(outcome) for outcome in outcomes}
        document.write_text(written(lines), encoding="utf-8")
    missed = [outcome for outcome in outcomes if abs(outcome.off) > PROMISE]
    print(f"{len(outcomes) - len(missed)} of {len(outcomes)} within {PROMISE:.0%}")


if __name__ == "__main__":
    main()
