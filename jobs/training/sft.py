"""Supervised fine-tuning of one run: ``python -m jobs.training.sft RUN_DIR``.

spec -> model -> data -> trainer -> answers before -> train -> answers after -> save
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from transformers import PrinterCallback, set_seed
from trl import SFTConfig, SFTTrainer, pack_dataset

from jobs.training import checkpoints, results
from jobs.training.answers import answers
from jobs.training.arguments import arguments, resolved
from jobs.training.data import for_sft
from jobs.training.fast_head import fast_head
from jobs.training.grouping import GroupedByLength
from jobs.training.loading import load_model, load_tokenizer, machine_for, needs_checkpointing, new_adapter
from jobs.training.reporting import Reporting, StopRequest
from jobs.training.team import Team
from studio_core.methods.sft import SFTOptions
from studio_core.run_folder import SPEC
from studio_core.spec import RunSpec


class GroupedSFTTrainer(GroupedByLength, SFTTrainer):  # type: ignore[misc]
    """TRL's trainer, with rows of like length in one batch."""


def main(run_dir: Path) -> None:
    began = time.monotonic()
    run = RunSpec.model_validate_json((run_dir / SPEC).read_text(encoding="utf-8"))
    options = SFTOptions.model_validate(run.options)
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

    events.write("phase", phase="preparing")
    data = for_sft(run, options, tokenizer)
    settings = arguments(run_dir, run, options, machine, data, team)
    # Packed rows need an attention that keeps them apart without a mask of all against all.
    packing = options.packing == "auto" and model.config._attn_implementation == "flash_attention_2"
    if packing:
        data.train = pack_dataset(
            data.train.select_columns(["input_ids", "labels"]).shuffle(seed=run.spec.seed), options.max_length
        )
    with fast_head(SFTTrainer):
        trainer = GroupedSFTTrainer(
            model=model,
            args=SFTConfig(
                **settings,
                activation_checkpointing=needs_checkpointing(run, options, model, machine),
                packing=packing,
                eval_packing=False,
                dataset_kwargs={"skip_prepare_dataset": True},
                neftune_noise_alpha=options.neftune or None,
            ),
            train_dataset=data.train,
            eval_dataset=data.held_out,
            processing_class=tokenizer,
            peft_config=new_adapter(run, options, model),
        )

    def answer() -> list[str]:
        with machine.autocast():
            return answers(
                trainer.model,
                tokenizer,
                run.prompts,
                as_chat=run.dataset.shape != "text",
                timed=not team.sharded,
            )

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
