"""NeMo RL: Hydra's ``name=value`` over the YAML files in ``examples/configs`` of its repository.

Its package on PyPI is a stub of version 0.0.0 without a configuration. The fields are those of ``sft.yaml`` and
``dpo.yaml`` at the commit that stands as its version, and of its guides of SFT and DPO.
"""

from __future__ import annotations

from typing import Any

from studio_core.base.errors import BadInput
from studio_core.handover import curves, rows
from studio_core.handover.base import ATTENTION, HELD_OUT, OUTPUT, TRAIN, Fields, Given, Trainer, Way
from studio_core.handover.curves import Log

_SCHEDULERS = "torch.optim.lr_scheduler"


def common(given: Given, method: str, dataset: str, **keys: Any) -> Fields:
    """What both methods have; ``dataset`` is its name for the form of the rows, ``keys`` are its columns."""
    given.ignore("eval_share", "max_steps", "logging_steps")
    given.choice("optimizer", {"adamw": None})

    def data(name: str, part: str) -> Fields:
        of = {"dataset_name": dataset, "data_path": f"data/{name}.jsonl", **keys}
        return {f"++data.{part}.{key}": value for key, value in of.items()}

    measured = bool(given.held_out)
    return {
        f"{method}.max_num_epochs": given.whole_epochs(),
        f"{method}.max_num_steps": given.steps,
        f"{method}.seed": given.run.spec.seed,
        f"{method}.val_period": given.save_steps if measured else 0,
        f"{method}.val_at_start": False,
        f"{method}.val_global_batch_size": given.global_batch,
        f"{method}.val_micro_batch_size": given["batch_size"],
        "policy.model_name": given.run.model.path,
        "policy.tokenizer.name": given.run.model.path,
        **(
            {"++policy.tokenizer.chat_template": given.run.model.chat_template}
            if given.run.model.chat_template
            else {}
        ),
        "policy.train_global_batch_size": given.global_batch,
        "policy.train_micro_batch_size": given["batch_size"],
        "policy.max_total_sequence_length": given["max_length"],
        "policy.precision": "bfloat16" if given.bf16 else "float32",
        "policy.max_grad_norm": given["max_grad_norm"],
        "policy.dtensor_cfg.enabled": True,
        "policy.dtensor_cfg.tensor_parallel_size": 1,
        "policy.dtensor_cfg.context_parallel_size": 1,
        "policy.dtensor_cfg.activation_checkpointing": given.checkpointing,
        "policy.sequence_packing.enabled": False,
        "policy.dynamic_batching.enabled": False,
        "policy.megatron_cfg.enabled": False,
        "policy.optimizer.name": "torch.optim.AdamW",
        "policy.optimizer.kwargs.lr": given["learning_rate"],
        "policy.optimizer.kwargs.weight_decay": given["weight_decay"],
        "policy.optimizer.kwargs.betas": [0.9, 0.999],
        "policy.optimizer.kwargs.eps": 1e-8,
        "++policy.scheduler": _schedule(given),
        **_tuning(given),
        **data(TRAIN, "train"),
        # That of its own file would be fetched from the Hub; where nothing is held out it is never looked at.
        **data(HELD_OUT if measured else TRAIN, "validation"),
        "checkpointing.enabled": True,
        "checkpointing.checkpoint_dir": f"{OUTPUT}/checkpoints",
        "checkpointing.save_period": given.save_steps,
        # The newest are kept; by a metric it would need rows to measure on.
        "checkpointing.metric_name": None,
        "logger.log_dir": f"{OUTPUT}/logs",
        "logger.wandb_enabled": False,
        "logger.tensorboard_enabled": True,
        "cluster.gpus_per_node": given.run.spec.gpus,
        "cluster.num_nodes": 1,
    }


def _schedule(given: Given) -> list[Fields]:
    """Schedulers of torch's, one after the other: up to the rate, then as the run has it."""
    warm = given.warmup_steps
    rest = max(1, given.steps - warm)
    down: dict[str, Fields] = {
        "cosine": {"name": f"{_SCHEDULERS}.CosineAnnealingLR", "kwargs": {"T_max": rest, "eta_min": 0.0}},
        "linear": {
            "name": f"{_SCHEDULERS}.LinearLR",
            "kwargs": {"start_factor": 1.0, "end_factor": 0.0, "total_iters": rest},
        },
        "constant": {"name": f"{_SCHEDULERS}.ConstantLR", "kwargs": {"factor": 1.0, "total_iters": rest}},
    }
    after = given.near("scheduler", {**down, "constant_with_warmup": down["constant"]}, down["cosine"])
    if given.options.scheduler == "constant" or not warm:
        return [after]
    # It refuses a beginning of 0: the first step has the smallest rate that it takes.
    up = {
        "name": f"{_SCHEDULERS}.LinearLR",
        "kwargs": {"start_factor": 1e-8, "end_factor": 1.0, "total_iters": warm},
    }
    return [up, after, {"milestones": [warm]}]


def _tuning(given: Given) -> Fields:
    if given.adapter:
        raise BadInput("handover.no_adapter", trainer=given.trainer, model=given.run.model.name)
    place = "policy.dtensor_cfg.lora_cfg"
    if given.tuning == "full":
        return {f"{place}.enabled": False}
    given.choice("lora_init", {"zero": None})
    every = given["lora_targets"] == "all"
    return {
        f"{place}.enabled": True,
        f"{place}.dim": given["lora_rank"],
        f"{place}.alpha": given["lora_alpha"],
        f"{place}.dropout": given["lora_dropout"],
        f"{place}.dropout_position": "pre",
        f"{place}.match_all_linear": every,
        f"{place}.target_modules": [] if every else [*ATTENTION],
    }


def sft(given: Given) -> Fields:
    given.choice("loss", {"nll": None})
    given.choice("loss_on", {"answers": None})
    given.ignore("replay_share", "packing")
    return {
        **common(given, "sft", "openai_format", chat_key="messages"),
        # Our rows have their ends from the chat template.
        "data.add_bos": False,
        "data.add_eos": False,
        "data.add_generation_prompt": False,
    }


def dpo(given: Given) -> Fields:
    terms = given.known_terms(("sigmoid", "sft"))
    given.choice("divergence", {"reverse_kl": None})
    given.ignore("divergence_alpha")
    return {
        **common(given, "dpo", "PreferenceDataset"),
        "dpo.reference_policy_kl_penalty": given["beta"],
        "dpo.preference_average_log_probs": False,
        "dpo.sft_average_log_probs": True,
        "dpo.preference_loss_weight": terms.get("sigmoid", 0.0),
        "dpo.sft_loss_weight": terms.get("sft", 0.0),
    }


def _start(method: str) -> tuple[str, ...]:
    of = f"$NEMO_RL/examples/configs/{method}.yaml"
    return ("uv", "run", "--project", "$NEMO_RL", f"$NEMO_RL/examples/run_{method}.py", "--config", of)


_OURS = {
    "train/loss": "loss",
    "train/lr": "learning_rate",
    "train/grad_norm": "grad_norm",
    "validation/val_loss": "eval_loss",
}

NEMO_RL = Trainer(
    name="nemo-rl",
    title="NeMo RL",
    version="00455ac",
    ways={
        "sft": Way(sft, rows.PLAIN, _start("sft"), _OURS),
        "dpo": Way(dpo, rows.PAIRS_RANKED, _start("dpo"), _OURS),
    },
    tunings=("full", "lora"),
    config="hydra",
    checked=False,
    metrics=f"{OUTPUT}/logs",
    log=Log(curves.tensorboard, (f"{OUTPUT}/logs/**/*tfevents*",)),
    weights="$NEMO_RL/examples/converters/convert_dcp_to_hf.py",
)
