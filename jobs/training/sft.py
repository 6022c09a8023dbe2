"""Supervised fine-tuning: the model learns to write what the data wrote.

    loss = - sum over learnt tokens of log pi(token | what stands before it) / their number in the step

The objective of pre-training, on answers only (``loss_on``): prompts are read, not learnt. Every token of a step
weighs the same, however rows fall into batches, GPUs and accumulated steps. Text is learnt whole: continued
pre-training.

    loss (dft) = - sum over learnt tokens of pi(token) log pi(token) / their number, no gradient through pi(token)

Dynamic fine-tuning (Wu et al. 2025, arXiv:2508.05629): the gradient of the plain loss has 1 / pi(token) as a factor, so
what the model finds unlikely pulls hardest. Without it the model learns from what it half knows. For a model that
already does the task somewhat; one that knows nothing of it hardly learns, since all its tokens are unlikely. The
loss is small also where the model is surely wrong: the held-out loss, which is the plain one, tells.

Watch: the held-out loss. It falls and levels off; once it rises while the loss still falls, the model learns the
rows by heart, and fewer epochs are better. The token accuracy says how often its first choice would have been
right.
What goes wrong: too high a learning rate (the loss jumps, text breaks); answers that never end, where nothing
learnt closes a turn (the plan says which end is learnt); other abilities that are forgotten after many epochs on
few rows.

    python -m jobs.training.sft --model static/models/tiny-base --data static/samples/tiny-sft-chat.jsonl --out /tmp/sft

spec -> model -> data -> trainer -> answers before -> train -> answers after -> save
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trl import SFTConfig, SFTTrainer, pack_dataset

from jobs.training import alone
from jobs.training.course import Course
from jobs.training.data import IGNORED, Count, Prepared, sequences, split
from jobs.training.fast_head import fast_head
from jobs.training.grouping import GroupedByLength
from jobs.training.loading import load_model, needs_checkpointing, new_adapter
from studio_core.data.chat_format import ChatFormat
from studio_core.methods.common import TrainingOptions
from studio_core.methods.sft import SFTOptions
from studio_core.runs.spec import RunSpec


class GroupedSFTTrainer(GroupedByLength, SFTTrainer):  # type: ignore[misc]
    """TRL's trainer, with rows of like length in one batch.

    Its loss is a mean over the tokens of a step if the model's own loss can be one. That is not asked here: the loss
    is made of log-probabilities, whatever the model is.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.model_accepts_loss_kwargs = True

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        """Held-out rows have the plain loss: that of ``dft`` is small also where the model is surely wrong."""
        asked = self.args.loss_type
        self.args.loss_type = asked if self.model.training else "nll"
        try:
            return super().compute_loss(*args, **kwargs)
        finally:
            self.args.loss_type = asked


def rows(run: RunSpec, options: TrainingOptions, chat: ChatFormat) -> Prepared:
    """Columns ``input_ids`` and ``labels``; a label is -100 where nothing is learnt."""
    count = Count()
    for _, [made], cut in sequences(run, options, chat):
        count.cut += cut
        labels = [token if learnt else IGNORED for token, learnt in zip(made.ids, made.trained, strict=True)]
        count.keep(
            {"input_ids": made.ids[: options.max_length], "labels": labels[: options.max_length]},
            any(made.trained[: options.max_length]),
        )
    return split(run, options, count, lambda row: len(row["input_ids"]))


def main(run_dir: Path) -> None:
    course = Course.begin(run_dir, SFTOptions)
    run, options, tokenizer = course.run, course.options, course.tokenizer
    model = load_model(run, course.machine, course.team.sharded)

    course.events.write("phase", phase="preparing")
    data = course.data(rows)
    settings = course.arguments(
        data
    )  # Before packing, since steps between checkpoints are counted from rows.
    # Packed rows need an attention that keeps them apart without a mask of all against all.
    apart = model.config._attn_implementation == "flash_attention_2"
    packing = options.packing == "auto" and course.tuning.packs and apart
    if packing:
        data.packed = True
        data.train = pack_dataset(
            data.train.select_columns(["input_ids", "labels"]).shuffle(seed=run.spec.seed), options.max_length
        )
    with fast_head(SFTTrainer):
        trainer = GroupedSFTTrainer(
            model=model,
            args=SFTConfig(
                **settings,
                max_length=options.max_length,
                activation_checkpointing=needs_checkpointing(run, options, data.train, course.machine),
                packing=packing,
                eval_packing=False,
                dataset_kwargs={"skip_prepare_dataset": True},
                loss_type=options.loss,
                neftune_noise_alpha=options.neftune or None,
            ),
            train_dataset=data.train,
            eval_dataset=data.held_out,
            processing_class=tokenizer,
            peft_config=new_adapter(run, options, model),
        )
    course.train(trainer, data)
    course.save(trainer)


if __name__ == "__main__":
    alone.run("sft", main)
