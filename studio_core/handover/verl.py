"""verl: Hydra's ``name=value`` over its YAML files in ``verl/trainer/config``."""

from __future__ import annotations

import math

import pyarrow as pa

from studio_core.base.errors import BadInput
from studio_core.data.exports.forms import Row
from studio_core.data.shapes import Record
from studio_core.handover import curves, rewards, rows
from studio_core.handover.base import ATTENTION, HELD_OUT, OUTPUT, TRAIN, Fields, Given, Trainer, Way
from studio_core.handover.curves import Log

_OPTIMIZERS = {"adamw": "AdamW"}


def optimizer(given: Given, at: str) -> Fields:
    """Those of an optimizer, at a place such as ``optim`` of the configuration."""
    return {
        f"{at}.optimizer": given.near("optimizer", _OPTIMIZERS, "AdamW"),
        f"{at}.lr": given["learning_rate"],
        f"{at}.betas": [0.9, 0.999],
        f"{at}.weight_decay": given["weight_decay"],
        f"{at}.clip_grad": given["max_grad_norm"],
        f"{at}.lr_scheduler_type": given.near(
            "scheduler",
            {"cosine": "cosine", "constant": "constant", "constant_with_warmup": "constant"},
            "cosine",
        ),
        f"{at}.min_lr_ratio": 0.0,
        f"{at}.lr_warmup_steps_ratio": given["warmup"],
    }


def model(given: Given, at: str) -> Fields:
    if given.adapter:
        raise BadInput("handover.no_adapter", trainer=given.trainer, model=given.run.model.name)
    fields: Fields = {
        f"{at}.path": given.run.model.path,
        f"{at}.trust_remote_code": given.run.model.trust_remote_code,
        f"{at}.enable_gradient_checkpointing": given.checkpointing,
        f"{at}.lora_rank": 0,
    }
    if given.run.model.chat_template:
        fields[f"{at}.custom_chat_template"] = given.run.model.chat_template
    if given.tuning == "lora":
        given.choice("lora_init", {"zero": None})
        fields |= {
            f"{at}.lora_rank": given["lora_rank"],
            f"{at}.lora_alpha": given["lora_alpha"],
            f"{at}.target_modules": "all-linear" if given["lora_targets"] == "all" else [*ATTENTION],
        }
    return fields


def trainer(given: Given) -> Fields:
    given.ignore("eval_share")
    return {
        "trainer.total_epochs": max(1, math.ceil(given["epochs"])),
        # Ends it where the run would have ended, also within an epoch.
        "trainer.total_training_steps": given.steps,
        "trainer.default_local_dir": OUTPUT,
        # Its file of metrics is <project>/<experiment>.jsonl.
        "trainer.project_name": OUTPUT,
        "trainer.experiment_name": "metrics",
        "trainer.logger": ["console", "file"],
        "trainer.save_freq": given.save_steps,
        "trainer.test_freq": given.save_steps if given.held_out else -1,
        "trainer.nnodes": 1,
        "trainer.n_gpus_per_node": given.run.spec.gpus,
    }


def sft(given: Given) -> Fields:
    given.choice("loss", {"nll": None})
    given.choice("loss_on", {"answers": None})
    # Rows of any length stand in one sequence there, each for itself.
    given.ignore("replay_share", "packing", "max_steps", "logging_steps")
    return {
        **model(given, "model"),
        **optimizer(given, "optim"),
        **trainer(given),
        "trainer.seed": given.run.spec.seed,
        "engine.model_dtype": "fp32",
        "engine.dtype": "bfloat16" if given.bf16 else "float32",
        "data.train_files": f"data/{TRAIN}.parquet",
        "data.val_files": f"data/{HELD_OUT}.parquet" if given.held_out else None,
        "data.train_batch_size": given.global_batch,
        "data.micro_batch_size_per_gpu": given["batch_size"],
        "data.use_dynamic_bsz": False,
        "data.messages_key": "messages",
        "data.max_length": given["max_length"],
        # Its default ends the run at the first long row.
        "data.truncation": given.near("truncation", {"end": "right", "prompt": "left"}, "right"),
    }


_LOSSES = {"dapo": "token-mean", "grpo": "seq-mean-token-mean", "dr_grpo": "seq-mean-token-sum-norm"}


def grpo(given: Given) -> Fields:
    rewards.check(given)
    given.choice("importance", {"token": None})
    given.ignore("max_steps", "logging_steps")
    actor, batch, answers = "actor_rollout_ref.actor", given["batch_size"], given["max_new_tokens"]
    # Ours is a limit on both together.
    prompt = max(1, given["max_length"] - answers)
    low, high = given.clip
    return {
        "algorithm.adv_estimator": "grpo",
        "algorithm.norm_adv_by_std_in_grpo": given.choice("scale_rewards", {"group": True, "none": False}),
        "algorithm.use_kl_in_reward": False,
        **model(given, "actor_rollout_ref.model"),
        **optimizer(given, f"{actor}.optim"),
        f"{actor}.ppo_mini_batch_size": given.prompts_of_step,
        f"{actor}.ppo_micro_batch_size_per_gpu": batch,
        f"{actor}.ppo_epochs": given["num_iterations"],
        f"{actor}.grad_clip": given["max_grad_norm"],
        f"{actor}.clip_ratio": low,
        f"{actor}.clip_ratio_low": low,
        f"{actor}.clip_ratio_high": high,
        f"{actor}.loss_agg_mode": given.choice("loss", _LOSSES),
        f"{actor}.entropy_coeff": given["entropy_coef"],
        f"{actor}.use_kl_loss": given["beta"] > 0,
        f"{actor}.kl_loss_coef": given["beta"],
        f"{actor}.kl_loss_type": "low_var_kl",
        f"{actor}.fsdp_config.dtype": "bfloat16" if given.bf16 else "float32",
        f"{actor}.data_loader_seed": given.run.spec.seed,
        "actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu": batch,
        "actor_rollout_ref.rollout.name": "vllm",
        "actor_rollout_ref.rollout.n": given["num_generations"],
        "actor_rollout_ref.rollout.temperature": given["temperature"],
        "actor_rollout_ref.rollout.tensor_model_parallel_size": 1,
        "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu": batch,
        "data.train_files": f"data/{TRAIN}.parquet",
        # It has no way without: where nothing is held out it is the training's own, and never looked at.
        "data.val_files": f"data/{HELD_OUT if given.held_out else TRAIN}.parquet",
        "data.train_batch_size": given.prompts_of_step,
        "data.prompt_key": "prompt",
        "data.max_prompt_length": prompt,
        "data.max_response_length": answers,
        "data.filter_overlong_prompts": True,
        "data.seed": given.run.spec.seed,
        "reward.custom_reward_function.path": rewards.PROGRAM,
        "reward.custom_reward_function.name": "compute_score",
        **trainer(given),
        # It counts rounds of answers, we every update.
        "trainer.total_training_steps": given.steps // given["num_iterations"],
        "trainer.val_before_train": False,
    }


def _prompt(record: Record) -> Row:
    return {
        "data_source": "tunesmith",
        "prompt": rows.plain(rewards.asked(record)["prompt"]),
        "ability": "",
        "reward_model": {"style": "rule", "ground_truth": rewards.as_json(record)},
        "extra_info": {"split": TRAIN},
    }


_TEXT = pa.string()
_PROMPTS = rows.asked(
    _prompt,
    data_source=_TEXT,
    prompt=pa.list_(pa.struct([("role", _TEXT), ("content", _TEXT)])),
    ability=_TEXT,
    reward_model=pa.struct([("style", _TEXT), ("ground_truth", _TEXT)]),
    extra_info=pa.struct([("split", _TEXT)]),
)

_SFT = {
    "train/loss": "loss",
    "train/lr": "learning_rate",
    "train/grad_norm": "grad_norm",
    "val/loss": "eval_loss",
}
_GRPO = {
    "critic/score/mean": "reward",
    "response_length/mean": "completions/mean_length",
    "actor/entropy": "entropy",
    "actor/lr": "learning_rate",
    "actor/grad_norm": "grad_norm",
}

VERL = Trainer(
    name="verl",
    title="verl",
    version="0.9.1",
    ways={
        "sft": Way(
            sft,
            rows.PLAIN,
            ("torchrun", "--standalone", "--nproc_per_node={gpus}", "-m", "verl.trainer.sft_trainer"),
            _SFT,
        ),
        "grpo": Way(grpo, _PROMPTS, ("python", "-m", "verl.trainer.main_ppo"), _GRPO),
    },
    tunings=("full", "lora"),
    files=rewards.files,
    config="hydra",
    format="parquet",
    metrics=f"{OUTPUT}/metrics.jsonl",
    log=Log(curves.step_lines, (f"{OUTPUT}/metrics.jsonl",)),
    weights="python -m verl.model_merger merge",
)
