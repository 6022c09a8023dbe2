"""Training arguments that all methods share: what the user chose, and what was measured to be fastest."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from jobs.training.data import Prepared
from jobs.training.loading import Machine
from jobs.training.team import Team
from jobs.training.tunings import of_run
from studio_core.methods.common import TrainingOptions
from studio_core.runs import run_folder
from studio_core.runs.spec import RunSpec

_OPTIMIZERS = {"adamw": "adamw_torch_fused", "adamw_8bit": "adamw_8bit", "adafactor": "adafactor"}

_DEEPSPEED = {
    "zero_optimization": {"stage": 2},
    "bf16": {"enabled": "auto"},
    "gradient_clipping": "auto",
    "gradient_accumulation_steps": "auto",
    "train_batch_size": "auto",
    "train_micro_batch_size_per_gpu": "auto",
}
"""Gradients and moments in shards (ZeRO 2); every rank keeps the whole model, so it can be used as usual."""


def arguments(
    run_dir: Path, run: RunSpec, options: TrainingOptions, machine: Machine, data: Prepared, team: Team
) -> dict[str, Any]:
    """What every trainer knows: fields of ``TrainingArguments``, from which ``SFTConfig`` and its like derive."""
    save_every = options.save_every(options.total_steps(len(data.train), team.size))
    return {
        "output_dir": str(run_dir / run_folder.CHECKPOINTS),
        "seed": run.spec.seed,
        "data_seed": run.spec.seed,
        "learning_rate": options.learning_rate,
        "num_train_epochs": options.epochs,
        "max_steps": options.max_steps or -1,  # -1: the epochs decide.
        "per_device_train_batch_size": options.batch_size,
        "per_device_eval_batch_size": options.batch_size,
        "gradient_accumulation_steps": options.gradient_accumulation,
        "lr_scheduler_type": options.scheduler,
        "warmup_steps": options.warmup,
        "weight_decay": options.weight_decay,
        "max_grad_norm": options.max_grad_norm,
        "optim": {**_OPTIMIZERS, **(of_run(run).optimizers if machine.on_gpu else {})}[options.optimizer],
        "logging_steps": options.logging_steps,
        "logging_first_step": True,
        # A loss that is no number is told, not averaged away.
        "logging_nan_inf_filter": False,
        "save_steps": save_every,
        "save_total_limit": None,  # Ours are removed only once a newer one is known to be whole.
        # Measured as often as a checkpoint is kept, so that each can be judged.
        "eval_strategy": "steps" if data.held_out is not None else "no",
        "eval_steps": save_every,
        "use_cpu": not machine.on_gpu,
        "bf16": machine.precision == "bf16",
        # Matrix products of fp32 with 10 bits of mantissa: several times as fast, and finer than bf16's 7.
        "tf32": True if machine.on_gpu else None,
        "dataloader_pin_memory": machine.on_gpu,
        "remove_unused_columns": False,  # The collators pass over "length", which our sampler needs.
        # The page draws what the reporter tells; nothing is sent to anybody.
        "report_to": "none",
        "disable_tqdm": True,
        # Every trained weight takes part in every step, so ranks need not look for those that did not.
        "ddp_find_unused_parameters": False,
        "deepspeed": _DEEPSPEED if team.parallel == "deepspeed" and team.size > 1 else None,
    }


def resolved(
    run: RunSpec, options: TrainingOptions, machine: Machine, data: Prepared, model: Any, team: Team
) -> dict[str, Any]:
    """What the run will really do, for its ``config`` event."""
    return {
        **options.model_dump(),
        "method": run.spec.method,
        "tuning": run.spec.tuning,
        "model": run.model.name,
        "dataset": f"{run.dataset.name}@{run.dataset.version}",
        "device": machine.name,
        "precision": machine.precision,
        "weights": str(next(model.parameters()).dtype).removeprefix("torch."),
        "attention": model.config._attn_implementation,
        "effective_batch": options.effective_batch * team.size,
        "gpus": team.size,
        "parallel": team.parallel if team.size > 1 else "none",
        "rows": len(data.train),
        "rows_held_out": len(data.held_out) if data.held_out is not None else 0,
        "rows_cut": data.cut,
        "rows_dropped": data.dropped,
        "rows_alike": data.alike,
        "rows_replayed": data.replayed,
        "tokens": data.tokens,
        "parameters": sum(p.numel() for p in model.parameters()),
        "trained_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "seed": run.spec.seed,
        "versions": {name: version(name) for name in ("torch", "transformers", "trl", "peft")},
    }
