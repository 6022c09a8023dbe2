"""Direct preference optimisation of one run: ``python -m jobs.training.dpo RUN_DIR``.

spec -> model -> data -> trainer -> answers before -> train -> answers after -> save
"""

from __future__ import annotations

import copy
import sys
from pathlib import Path

from trl import DPOConfig, DPOTrainer

from jobs.training.course import Course
from jobs.training.data import for_dpo
from jobs.training.fast_head import fast_head
from jobs.training.grouping import GroupedByLength, OnTokens
from jobs.training.loading import load_model, needs_checkpointing, new_adapter
from studio_core.methods.dpo import DPOOptions


class GroupedDPOTrainer(OnTokens, GroupedByLength, DPOTrainer):  # type: ignore[misc]
    """TRL's trainer, with rows of like length in one batch, on datasets that are tokens already."""


def main(run_dir: Path) -> None:
    course = Course.begin(run_dir, DPOOptions)
    run, options, tokenizer = course.run, course.options, course.tokenizer
    model = load_model(run, course.machine, course.team.sharded)
    # With LoRA the model without its adapter (or with a copy of the adapter it began with) is the
    # reference, and needs no second model in memory.
    alone = run.spec.tuning == "full" and not options.precompute_reference
    reference = copy.deepcopy(model).requires_grad_(False) if alone else None

    course.events.write("phase", phase="preparing")
    data = for_dpo(run, options, tokenizer)
    with fast_head(DPOTrainer):
        trainer = GroupedDPOTrainer(
            model=model,
            ref_model=reference,
            args=DPOConfig(
                **course.arguments(data),
                activation_checkpointing=needs_checkpointing(run, options, model, course.machine),
                beta=options.beta,
                loss_type=[options.loss, "sft"] if options.sft_weight else [options.loss],
                loss_weights=[1.0, options.sft_weight] if options.sft_weight else None,
                label_smoothing=options.label_smoothing,
                precompute_ref_log_probs=options.precompute_reference,
            ),
            train_dataset=data.train,
            eval_dataset=data.held_out,
            processing_class=tokenizer,
            peft_config=new_adapter(run, options, model),
        )
    course.train(trainer, data)
    course.save(trainer)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
