"""The script of the toy method that learns from pairs."""

from __future__ import annotations

import copy
from pathlib import Path

from trl import DPOConfig

from jobs.training.course import Course
from jobs.training.dpo import AnswersOnly, GroupedDPOTrainer, rows
from jobs.training.loading import load_model, needs_checkpointing, new_adapter
from tests.integration.toys.applause import ApplauseOptions


def main(run_dir: Path) -> None:
    course = Course.begin(run_dir, ApplauseOptions)
    model = load_model(course.run, course.machine, course.team.sharded)
    reference = copy.deepcopy(model).requires_grad_(False) if course.tuning.whole else None
    course.events.write("phase", phase="preparing")
    data = course.data(rows)
    trainer = GroupedDPOTrainer(
        model=model,
        ref_model=reference,
        args=DPOConfig(
            **course.arguments(data),
            max_length=course.options.max_length,
            activation_checkpointing=needs_checkpointing(
                course.run, course.options, data.train, course.machine
            ),
            beta=course.options.hands,
        ),
        data_collator=AnswersOnly(course.tokenizer.pad_token_id, course.options.max_length),
        train_dataset=data.train,
        eval_dataset=data.held_out,
        processing_class=course.tokenizer,
        peft_config=new_adapter(course.run, course.options, model),
    )
    course.train(trainer, data)
    course.save(trainer)
