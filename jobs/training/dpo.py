"""Direct preference optimisation of one run: ``python -m jobs.training.dpo RUN_DIR``.

spec -> model -> data -> trainer -> answers before -> train -> answers after -> save
"""

from __future__ import annotations

import copy
import sys
import time
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PrinterCallback, set_seed
from trl import DPOConfig, DPOTrainer

from jobs.training import checkpoints, results
from jobs.training.answers import answers
from jobs.training.arguments import arguments, resolved
from jobs.training.data import for_dpo
from jobs.training.fast_head import fast_head
from jobs.training.grouping import GroupedByLength
from jobs.training.loading import load_model, load_tokenizer, machine_for, needs_checkpointing, new_adapter
from jobs.training.reporting import Reporting, StopRequest
from jobs.training.team import Team
from studio_core.methods.dpo import DPOOptions
from studio_core.run_folder import SPEC
from studio_core.spec import RunSpec


class GroupedDPOTrainer(GroupedByLength, DPOTrainer):  # type: ignore[misc]
    """TRL's trainer, with rows of like length in one batch, on datasets that are tokens already."""

    def _prepare_dataset(self, dataset: Dataset, *_: Any, **__: Any) -> Dataset:
        return dataset


def main(run_dir: Path) -> None:
    began = time.monotonic()
    run = RunSpec.model_validate_json((run_dir / SPEC).read_text(encoding="utf-8"))
    options = DPOOptions.model_validate(run.options)
    team = Team.of(run_dir, run)
    stop = StopRequest(team).listen()
    events = team.events()
    if team.first:
        checkpoints.begin(run_dir, run.resume_from)

    events.write("phase", phase="loading")
    set_seed(run.spec.seed)
    machine = machine_for(run, options)
    tokenizer = load_tokenizer(run.model)
    model = load_model(run, machine, team.sharded)
    # With LoRA the model without its adapter (or with a copy of the adapter it began with) is the
    # reference, and needs no second model in memory.
    alone = run.spec.tuning == "full" and not options.precompute_reference
    reference = copy.deepcopy(model).requires_grad_(False) if alone else None

    events.write("phase", phase="preparing")
    data = for_dpo(run, options, tokenizer)
    settings = arguments(run_dir, run, options, machine, data, team)
    with fast_head(DPOTrainer):
        trainer = GroupedDPOTrainer(
            model=model,
            ref_model=reference,
            args=DPOConfig(
                **settings,
                activation_checkpointing=needs_checkpointing(run, options, model, machine),
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

    def answer() -> list[str]:
        with machine.autocast():
            return answers(trainer.model, tokenizer, run.prompts, as_chat=True, timed=not team.sharded)

    reporting = Reporting(team, events, stop, answer, run.prompts)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(reporting)
    events.write("config", values=resolved(run, options, machine, data, trainer, team))
    reporting.lost_rows(data.cut, data.dropped, options.max_length)
    reporting.sample("before", 0)

    events.write("phase", phase="training")
    trainer.train(resume_from_checkpoint=run.resume_from)

    events.write("phase", phase="saving")
    reporting.sample("after", trainer.state.global_step)
    weights = team.whole_weights(trainer)
    if team.first:
        kind = results.save(run_dir, run, trainer.model, tokenizer, weights)
        results.report(events, run_dir, trainer, kind=kind, stopped=bool(stop), began=began)
    team.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
