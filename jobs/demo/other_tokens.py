"""Measures distillation from a teacher with another tokenizer: `python -m jobs.demo.other_tokens`.

The student is tiny-base after a short SFT, the teacher tiny-chat with its own tokens, with the same under other numbers
(exactly as good a model), and without the last merges, so that many words are spelled in more tokens.
"""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from jobs.demo.distillation import prompts
from jobs.demo.finetune import PARAMETERS, STATIC, Data, Recipe, carry_out, finetune, stored
from studio_core.data.shapes import Shape
from studio_core.methods.base import validated
from studio_core.methods.distillation import DISTILLATION
from studio_core.methods.sft import SFT
from studio_core.runs.run_folder import EVENTS, MODEL
from studio_core.runs.spec import ResolvedModel, RunSpec, TrainSpec

STEPS = 40
"""Enough that the divergence halves; a run takes some twenty seconds of a processor."""
_ENDS = 8
"""Steps at either end of a run that are averaged: each has other texts."""


def with_other_tokens(source: Path, folder: Path, fewer: int) -> None:
    """A copy of a demo model whose tokens have other numbers; ``fewer`` of its last merges are left out."""
    model, old = AutoModelForCausalLM.from_pretrained(source), AutoTokenizer.from_pretrained(source)
    written = json.loads(old.backend_tokenizer.to_str())
    merges = written["model"]["merges"]
    gone = {"".join(pair) for pair in merges[len(merges) - fewer :]}
    names = [name for name in old.get_vocab() if name not in gone]
    random.Random(0).shuffle(names)
    numbers = {name: number for number, name in enumerate(names)}
    written["model"]["merges"] = merges[: len(merges) - fewer]
    written["model"]["vocab"] = {name: numbers[name] for name in written["model"]["vocab"] if name in numbers}
    for token in written["added_tokens"]:
        token["id"] = numbers[token["content"]]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(written)),
        eos_token=old.eos_token,
        pad_token=old.pad_token,
    )
    tokenizer.chat_template = old.chat_template
    rows = torch.tensor([old.get_vocab()[name] for name in names])
    # A copy, taken before: input and output are one matrix, and what is read from it while it is written is mixed up.
    weights = model.get_input_embeddings().weight.data[rows]
    model.resize_token_embeddings(len(names))
    model.get_input_embeddings().weight.data.copy_(weights)
    model.get_output_embeddings().weight.data.copy_(weights)
    for config in (model.config, model.generation_config):
        config.eos_token_id, config.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def distilled(student: Path, teacher: Path, mode: str, run_dir: Path) -> str:
    """One run as a row of a table: loss and agreement at its beginning and its end, and the processor's seconds."""
    run_dir.mkdir()
    changes: dict[str, Any] = {"mode": mode, "precision": "fp32", "learning_rate": 5e-4, "max_steps": STEPS}
    options = validated(DISTILLATION, "balanced", "full", PARAMETERS, changes)
    run = RunSpec(
        spec=TrainSpec(method="distillation", model="student", dataset="prompts", device="cpu", seed=1),
        model=ResolvedModel(name="student", path=str(student), parameters=PARAMETERS),
        dataset=stored(Data("prompts", Shape.CHAT, prompts), run_dir),
        models={"teacher": ResolvedModel(name=teacher.name, path=str(teacher), parameters=PARAMETERS)},
        options=options.model_dump(),
        prompts=[],
    )
    seconds = carry_out(run, run_dir)
    events = [json.loads(line) for line in (run_dir / EVENTS).read_text(encoding="utf-8").splitlines()]
    steps = [event["values"] for event in events if event["type"] == "metrics" and "loss" in event["values"]]
    ends = [
        f"{mean(step[name] for step in part):.2f}"
        for name in ("loss", "agreement")
        for part in (steps[:_ENDS], steps[-_ENDS:])
    ]
    return f"| {teacher.name} | {mode} | {' | '.join(ends)} | {seconds:.0f} |"


def main() -> None:
    torch.set_num_threads(1)
    print(
        "| teacher | mode | loss, first | last | agreement, first | last | CPU s |\n|---|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder, chat = Path(scratch), STATIC / "models" / "tiny-chat"
        finetune(Recipe("SFT, short", SFT, preset="quick", changes={"max_steps": 60}), 1, folder / "sft")
        teachers = {"same": chat, "renumbered": folder / "renumbered", "re-split": folder / "re-split"}
        with_other_tokens(chat, teachers["renumbered"], 0)
        with_other_tokens(chat, teachers["re-split"], 150)
        for mode in ("on_policy", "off_policy"):
            for name, teacher in teachers.items():
                row = distilled(folder / "sft" / MODEL, teacher, mode, folder / f"{name}-{mode}")
                print(row, flush=True)


if __name__ == "__main__":
    main()
