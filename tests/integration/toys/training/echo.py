"""The script of the toy method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trl import SFTConfig, SFTTrainer

from jobs.training.course import Course
from jobs.training.data import for_sft
from jobs.training.grouping import GroupedByLength
from jobs.training.loading import load_model, needs_checkpointing, new_adapter
from tests.integration.toys.echo import EchoOptions


class LoudTrainer(GroupedByLength, SFTTrainer):  # type: ignore[misc]
    loudness = 1.0

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        return self.loudness * super().compute_loss(*args, **kwargs)


def main(run_dir: Path) -> None:
    course = Course.begin(run_dir, EchoOptions)
    model = load_model(course.run, course.machine, course.team.sharded)
    course.events.write("phase", phase="preparing")
    data = for_sft(course.run, course.options, course.chat)
    trainer = LoudTrainer(
        model=model,
        args=SFTConfig(
            **course.arguments(data),
            activation_checkpointing=needs_checkpointing(
                course.run, course.options, data.train, course.machine
            ),
            dataset_kwargs={"skip_prepare_dataset": True},
        ),
        train_dataset=data.train,
        eval_dataset=data.held_out,
        processing_class=course.tokenizer,
        peft_config=new_adapter(course.run, course.options, model),
    )
    trainer.loudness = course.options.loudness
    course.train(trainer, data)
    course.save(trainer)
