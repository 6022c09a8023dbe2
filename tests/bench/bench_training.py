"""Training beside a bare loop of PyTorch and PEFT: same model, data, batch size, precision; one thread.

The loop takes random batches, as one writes it first. The second rival is TRL's own trainer of the same chats, batch
size and precision, all other settings as it comes (it pads what it finds, and computes activations twice). Rounds of
all three alternate, and tokens are counted without padding. CPU time is what one thread worked, so that a busy machine
changes little.

Promised of the tokens per second of CPU time: at least 1.0 of the loop's, at least 1.8 of TRL's out of the box.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TQDM_DISABLE="1", HF_HUB_DISABLE_TELEMETRY="1")

import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PrinterCallback, TrainerCallback
from transformers.utils import logging
from trl import SFTConfig, SFTTrainer

from jobs.chat_format import chat_format
from jobs.training import arguments, sft
from jobs.training.data import Prepared
from jobs.training.fast_head import fast_head
from jobs.training.loading import Machine, load_tokenizer, machine_for, new_adapter
from jobs.training.team import Team
from studio_core.base.settings import bundled_folder
from studio_core.methods.base import read
from studio_core.methods.sft import SFT
from studio_core.runs.spec import ResolvedModel, RunSpec
from studio_core.tunings import TUNINGS
from tests.bench.sizes import size
from tests.integration.miniature import make_run

STEPS, ROUNDS = size("STEPS", 20, 2), size("REPEATS", 4, 1)
DEMO = bundled_folder() / "models" / "tiny-base"


@dataclass
class Pace:
    tokens: int
    steps: int
    cpu: float
    wall: float


class Clock(TrainerCallback):
    """Measures from the end of the first step, when everything lazy is there."""

    def __init__(self) -> None:
        self.marks: list[tuple[float, float]] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.marks.append((time.process_time(), time.perf_counter()))


def build(folder: str, vocabulary: int) -> Any:
    """The demo model, or a model of six layers with random weights and a larger vocabulary."""
    if not vocabulary:
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=256, intermediate_size=768, num_hidden_layers=6,
        num_attention_heads=8, num_key_value_heads=4, tie_word_embeddings=True,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def ours(run: RunSpec, options: Any, machine: Machine, data: Prepared, model: Any, folder: Path) -> Pace:
    """The trainer of a run, without its answers and checkpoints."""
    settings = arguments.arguments(folder, run, options, machine, data, Team(folder))
    settings |= {"save_strategy": "no", "max_steps": STEPS + 1}
    with fast_head(SFTTrainer):
        trainer = sft.GroupedSFTTrainer(
            model=model,
            args=SFTConfig(
                **settings,
                max_length=options.max_length,
                activation_checkpointing=False,
                dataset_kwargs={"skip_prepare_dataset": True},
            ),
            train_dataset=data.train,
            processing_class=load_tokenizer(run.model),
            peft_config=new_adapter(run, options, model),
        )
    return pace(trainer)


def bare(run: RunSpec, options: Any, machine: Machine, data: Prepared, model: Any) -> Pace:
    """Random batches, padded to the longest row; the model's own loss."""
    if run.spec.tuning == "lora":
        model = get_peft_model(model, lora(options))
    model.train()
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad],
        lr=options.learning_rate,
        fused=True,
        weight_decay=0.0,
    )
    rows = data.train.to_list()
    order = random.Random(0)
    tokens, cpu, wall = 0, 0.0, 0.0
    for step in range(STEPS + 1):
        if step == 1:
            tokens, cpu, wall = 0, time.process_time(), time.perf_counter()
        batch = order.sample(rows, options.batch_size)
        longest = max(len(row["input_ids"]) for row in batch)
        ids = torch.tensor([row["input_ids"] + [0] * (longest - len(row["input_ids"])) for row in batch])
        labels = torch.tensor([row["labels"] + [-100] * (longest - len(row["labels"])) for row in batch])
        mask = torch.tensor([[n < len(row["input_ids"]) for n in range(longest)] for row in batch])
        with torch.autocast("cpu", torch.bfloat16, enabled=machine.precision == "bf16"):
            loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        tokens += int(mask.sum())
    return Pace(tokens, STEPS, time.process_time() - cpu, time.perf_counter() - wall)


def counted(trainer: Any) -> list[int]:
    """The tokens without padding of each batch that the trainer will take."""
    seen: list[int] = []
    collate = trainer.data_collator

    def counting(rows: list[dict[str, Any]]) -> Any:
        seen.append(sum(len(row["input_ids"]) for row in rows))
        return collate(rows)

    trainer.data_collator = counting
    return seen


def pace(trainer: Any) -> Pace:
    """What the trainer does from the end of its first step to that of its last."""
    seen, clock = counted(trainer), Clock()
    trainer.add_callback(clock)
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    (cpu, wall), (cpu_end, wall_end) = clock.marks[0], clock.marks[-1]
    return Pace(sum(seen[1 : STEPS + 1]), STEPS, cpu_end - cpu, wall_end - wall)


def as_it_comes(
    run: RunSpec, options: Any, machine: Machine, rows: list[dict[str, Any]], model: Any, folder: Path
) -> Pace:
    """TRL's trainer on the chats themselves."""
    settings = SFTConfig(
        output_dir=str(folder / "trl"),
        per_device_train_batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        max_steps=STEPS + 1,
        bf16=machine.precision == "bf16",
        use_cpu=True,
        save_strategy="no",
        report_to="none",
    )
    trainer = SFTTrainer(
        model=model,
        args=settings,
        train_dataset=Dataset.from_list(rows),
        processing_class=load_tokenizer(run.model),
        peft_config=lora(options) if run.spec.tuning == "lora" else None,
    )
    return pace(trainer)


def lora(options: Any) -> LoraConfig:
    return LoraConfig(
        r=options.lora_rank,
        lora_alpha=options.lora_alpha,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def compare(name: str, tuning: str, vocabulary: int, folder: Path) -> None:
    lines = (bundled_folder() / "samples" / "tiny-sft-chat.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [{"messages": json.loads(line)["messages"]} for line in lines]
    demo = ResolvedModel(name=name, path=str(DEMO))
    options = {"batch_size": 16, "precision": "auto", "learning_rate": 1e-4}
    run_dir = make_run(folder / f"{tuning}-{vocabulary}", demo, rows, tuning=tuning, **options)
    run = RunSpec.model_validate_json((run_dir / "spec.json").read_text(encoding="utf-8"))
    chosen: Any = read(SFT, TUNINGS[tuning], run.options)
    machine = machine_for(run, chosen)
    data = sft.rows(run, chosen, chat_format(run.model, load_tokenizer(run.model)))
    paces: dict[str, list[Pace]] = {"studio": [], "bare loop": [], "TRL": []}
    for _ in range(ROUNDS):
        paces["studio"].append(ours(run, chosen, machine, data, build(demo.path, vocabulary), run_dir))
        paces["bare loop"].append(bare(run, chosen, machine, data, build(demo.path, vocabulary)))
        paces["TRL"].append(as_it_comes(run, chosen, machine, rows, build(demo.path, vocabulary), run_dir))
    middle = {}
    for who, several in paces.items():
        by_cpu = statistics.median(pace.tokens / pace.cpu for pace in several)
        by_wall = statistics.median(pace.tokens / pace.wall for pace in several)
        steps = statistics.median(pace.steps / pace.cpu for pace in several)
        middle[who] = by_cpu
        print(
            f"{name:28} {tuning:5} {machine.precision:5} {who:10} {steps:7.2f} steps/s"
            f"{by_cpu:9.0f} tokens/s (CPU){by_wall:9.0f} (wall)"
        )
    for rival, promised in {"bare loop": 1.0, "TRL": 1.8}.items():
        print(
            f"{name:28} {tuning:5} studio / {rival}: {middle['studio'] / middle[rival]:.2f} (promised {promised})"
        )


def main() -> None:
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    print(f"{STEPS} steps of 16 rows, {ROUNDS} rounds of each, one thread, medians")
    with tempfile.TemporaryDirectory() as folder:
        compare("demo model (2 M)", "full", 0, Path(folder))
        compare("demo model (2 M)", "lora", 0, Path(folder))
        compare("6 layers, 32k vocabulary", "lora", 32_000, Path(folder))


if __name__ == "__main__":
    main()
