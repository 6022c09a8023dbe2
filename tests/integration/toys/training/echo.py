"""The script of the toy method: its steps are written out, no trainer knows of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import TrainingArguments

from jobs.training.course import Course
from jobs.training.data import IGNORED
from jobs.training.loading import load_model, with_adapter
from jobs.training.loop import Values, rows_of_step
from jobs.training.sft import rows
from tests.integration.toys.echo import EchoOptions

Batch = dict[str, torch.Tensor]


def main(run_dir: Path) -> None:
    course = Course.begin(run_dir, EchoOptions)
    run, options = course.run, course.options
    model = with_adapter(run, options, load_model(run, course.machine, course.team.sharded))
    course.events.write("phase", phase="preparing")
    data = course.data(rows)
    settings, total_steps = TrainingArguments(**course.arguments(data)), course.steps(data)
    optimiser, schedule = course.optimizer(model, settings, total_steps)

    def batches(part: Any, numbers: list[int]) -> Iterator[Batch]:
        for start in range(0, len(numbers), options.batch_size):
            some = part.select(numbers[start : start + options.batch_size])
            ids, labels = ([torch.tensor(row) for row in some[name]] for name in ("input_ids", "labels"))
            mask = pad_sequence([torch.ones_like(row) for row in ids], batch_first=True)
            yield {
                "input_ids": pad_sequence(ids, batch_first=True),
                "labels": pad_sequence(labels, batch_first=True, padding_value=IGNORED),
                "attention_mask": mask,
            }

    def loss_of(batch: Batch) -> torch.Tensor:
        with course.machine.autocast():
            loss: torch.Tensor = model(**{name: given.to(model.device) for name, given in batch.items()}).loss
        return options.loudness * loss

    def step(number: int) -> Values:
        model.train()
        lengths = data.train["length"]
        chosen = rows_of_step(number, len(lengths), options.effective_batch, run.spec.seed, lengths)
        several = [*batches(data.train, chosen)]
        total = tokens = 0.0
        for batch in several:
            loop_loss = loss_of(batch) / len(several)
            loop_loss.backward()  # type: ignore[no-untyped-call]
            total += loop_loss.item()
            tokens += batch["attention_mask"].sum().item()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), options.max_grad_norm)
        rate = schedule.get_last_lr()[0]
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        return {"loss": total, "grad_norm": norm.item(), "learning_rate": rate, "tokens": tokens}

    @torch.no_grad()
    def evaluate() -> Values:
        model.eval()
        losses = [
            loss_of(batch).item() for batch in batches(data.held_out, [*range(len(data.held_out or []))])
        ]
        return {"eval_loss": sum(losses) / len(losses)} if losses else {}

    parts = {"optimizer": optimiser, "schedule": schedule}
    loop = course.loop(model, parts, data, total_steps, step, evaluate)
    course.finish(model, loop.step, loop.total_steps)
