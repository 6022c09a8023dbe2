"""Kahneman-Tversky optimisation of one run: ``python -m jobs.training.kto RUN_DIR``.

spec -> model -> data -> trainer -> answers before -> train -> answers after -> save
"""

from __future__ import annotations

import copy
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase
from trl import KTOConfig, KTOTrainer
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference

from jobs.training.course import Course
from jobs.training.data import for_kto
from jobs.training.fast_head import fast_head
from jobs.training.grouping import GroupedByLength, OnTokens
from jobs.training.loading import load_model, needs_checkpointing, new_adapter
from studio_core.methods.kto import KTOOptions


@dataclass
class Mismatched(DataCollatorForUnpairedPreference):  # type: ignore[misc]
    """Pairs each prompt also with the answer to the one before it in the batch: TRL's sample for the drift (KL).

    TRL makes these pairs beforehand and so must see the rows in one order for ever; made for each batch,
    they hold in whatever order the rows come. A row that is left over alone has no answer but its own, against
    which it would look like drift whatever the model learns: it gets none, and its drift is 0.
    """

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        answers = [row["completion_ids"] for row in examples]
        rotated = [answers[-1], *answers[:-1]] if len(answers) > 1 else [[]]
        return super().torch_call(
            [{**row, "KL_completion_ids": other} for row, other in zip(examples, rotated, strict=True)]
        )


def collator(options: KTOOptions, tokenizer: PreTrainedTokenizerBase) -> DataCollatorForUnpairedPreference:
    """What makes batches for the loss; only ``kto`` measures the drift."""
    kind = Mismatched if options.loss == "kto" else DataCollatorForUnpairedPreference
    return kind(pad_token_id=tokenizer.pad_token_id, max_length=options.max_length)


class ShuffledKTOTrainer(OnTokens, GroupedByLength, KTOTrainer):  # type: ignore[misc]
    """TRL's trainer, with the rows in a new random order in each epoch, on datasets that are tokens already."""

    def log(self, *args: Any, **kwargs: Any) -> None:
        if not self.calculate_KL:  # TRL says 0 of a drift that it did not measure.
            for values in self._metrics.values():
                values.pop("kl", None)
        super().log(*args, **kwargs)


def main(run_dir: Path) -> None:
    course = Course.begin(run_dir, KTOOptions)
    run, options, tokenizer = course.run, course.options, course.tokenizer
    model = load_model(run, course.machine, course.team.sharded)
    # With LoRA the model without its adapter (or with a copy of the adapter it began with) is the reference.
    reference = copy.deepcopy(model).requires_grad_(False) if run.spec.tuning == "full" else None

    course.events.write("phase", phase="preparing")
    data = for_kto(run, options, tokenizer)
    good = sum(data.train["label"])
    good_weight, bad_weight = options.weights(good, len(data.train) - good)
    with fast_head(KTOTrainer):
        trainer = ShuffledKTOTrainer(
            model=model,
            ref_model=reference,
            args=KTOConfig(
                **course.arguments(data),
                activation_checkpointing=needs_checkpointing(run, options, model, course.machine),
                beta=options.beta,
                loss_type=options.loss,
                desirable_weight=good_weight,
                undesirable_weight=bad_weight,
            ),
            data_collator=collator(options, tokenizer),
            train_dataset=data.train,
            eval_dataset=data.held_out,
            processing_class=tokenizer,
            peft_config=new_adapter(run, options, model),
        )
    course.train(trainer, data)
    course.save(trainer)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
