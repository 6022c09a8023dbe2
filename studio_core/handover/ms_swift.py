"""ms-swift: one YAML file of the dataclasses in ``swift/arguments``; preferences and rewards by ``swift rlhf``."""

from __future__ import annotations

from studio_core.data.shapes import Shape
from studio_core.handover import rewards, rows
from studio_core.handover.base import ATTENTION, HELD_OUT, OUTPUT, TRAIN, Fields, Given, Trainer, Way

_OPTIMIZERS = {"adamw": "adamw_torch", "adamw_8bit": "adamw_bnb_8bit", "adafactor": "adafactor"}
_LOSSES = (
    "sigmoid", "hinge", "ipo", "exo_pair", "nca_pair", "robust", "bco_pair", "sppo_hard", "aot", "discopop",
    "apo_zero", "apo_down", "sft",
)  # fmt: skip


def common(given: Given) -> Fields:
    given.own_template()
    fields: Fields = {
        "model": given.run.model.path,
        "dataset": [f"data/{TRAIN}.jsonl"],
        "split_dataset_ratio": 0.0,
        "output_dir": OUTPUT,
        # Else it adds a folder with the time of day.
        "add_version": False,
        "learning_rate": given["learning_rate"],
        "num_train_epochs": given["epochs"],
        "max_steps": given["max_steps"] or -1,
        "per_device_train_batch_size": given["batch_size"],
        "gradient_accumulation_steps": given["gradient_accumulation"],
        "max_length": given["max_length"],
        # Its default takes long rows away without a word.
        "truncation_strategy": given.near("truncation", {"end": "right", "prompt": "left"}, "right"),
        "lr_scheduler_type": given["scheduler"],
        "warmup_ratio": given["warmup"],
        "weight_decay": given["weight_decay"],
        "max_grad_norm": given["max_grad_norm"],
        "optim": given.choice("optimizer", _OPTIMIZERS),
        "adam_beta1": 0.9,
        "adam_beta2": 0.999,
        "adam_epsilon": 1e-8,
        "torch_dtype": "bfloat16" if given.bf16 else "float32",
        "bf16": given.bf16,
        "fp16": False,
        "gradient_checkpointing": given.checkpointing,
        "logging_steps": given["logging_steps"],
        "save_strategy": "steps",
        "save_steps": given.save_steps,
        "eval_strategy": "no",
        "report_to": ["none"],
        "seed": given.run.spec.seed,
        "data_seed": given.run.spec.seed,
        "add_non_thinking_prefix": False,
        **_tuning(given),
    }
    given.ignore("eval_share")
    if given.held_out:
        apart = {"eval_strategy": "steps", "eval_steps": given.save_steps}
        fields |= {"val_dataset": [f"data/{HELD_OUT}.jsonl"], **apart}
    return fields


def _tuning(given: Given) -> Fields:
    if given.tuning == "full":
        return {"tuner_type": "full"}
    fields: Fields = {
        "tuner_type": "lora",
        "lora_rank": given["lora_rank"],
        "lora_alpha": given["lora_alpha"],
        "lora_dropout": given["lora_dropout"],
        "target_modules": ["all-linear"] if given["lora_targets"] == "all" else [*ATTENTION],
        "use_rslora": given["lora_rslora"],
        "use_dora": given["lora_dora"],
    }
    if given["lora_plus"] != 1.0:
        fields["lorap_lr_ratio"] = given["lora_plus"]
    if given.tuning == "lora":
        fields["init_weights"] = {"zero": "true"}.get(given["lora_init"], given["lora_init"])
    else:
        fields |= {"quant_method": "bnb", "quant_bits": 4, "bnb_4bit_quant_type": "nf4"}
        fields["bnb_4bit_use_double_quant"] = True
    return {**fields, "adapters": [given.adapter]} if given.adapter else fields


def sft(given: Given) -> Fields:
    given.choice("loss", {"nll": None})
    given.ignore("replay_share")
    fields = common(given)
    fields["loss_scale"] = "all" if given["loss_on"] == "everything" else "default"
    fields["packing"] = given.near("packing", {"off": False}, False)
    if given["neftune"]:
        fields["neftune_noise_alpha"] = given["neftune"]
    return fields


def _rlhf(given: Given, type: str) -> Fields:
    return {"rlhf_type": type, **common(given)}


def dpo(given: Given) -> Fields:
    terms = given.known_terms(_LOSSES)
    given.choice("divergence", {"reverse_kl": None})
    given.ignore("divergence_alpha")
    return {
        **_rlhf(given, "dpo"),
        # The preferred answer alone is learnt, whatever the prompt's turns are.
        "loss_scale": "last_round",
        "beta": given["beta"],
        "loss_type": [*terms],
        "loss_weights": [*terms.values()],
        "label_smoothing": given["label_smoothing"],
        "ld_alpha": given["ld_alpha"],
    }


def simpo(given: Given) -> Fields:
    return {
        **_rlhf(given, "simpo"),
        "beta": given["beta"],
        # Nats, where ours is a share of beta.
        "simpo_gamma": given["margin_ratio"] * given["beta"],
        "cpo_alpha": given["sft_weight"],
    }


def cpo(given: Given) -> Fields:
    return {
        **_rlhf(given, "cpo"),
        "beta": given["beta"],
        "cpo_alpha": given["sft_weight"],
        "label_smoothing": given["label_smoothing"],
    }


def orpo(given: Given) -> Fields:
    return {**_rlhf(given, "orpo"), "beta": given["odds_weight"]}


def kto(given: Given) -> Fields:
    given.choice("loss", {"kto": None})
    good, bad = given.kinds
    return {
        **_rlhf(given, "kto"),
        "beta": given["beta"],
        "desirable_weight": good,
        "undesirable_weight": bad,
    }


def reward(given: Given) -> Fields:
    given.choice("margin", {0.0: None})
    return {**_rlhf(given, "rm"), "center_rewards_coefficient": given["center"]}


def grpo(given: Given) -> Fields:
    rewards.check(given)
    low, high = given.clip
    losses = ("dapo", "grpo", "dr_grpo", "bnpo", "cispo", "sapo")
    return {
        **_rlhf(given, "grpo"),
        "reward_funcs": ["tunesmith"],
        "external_plugins": [rewards.PROGRAM],
        "remove_unused_columns": False,
        "loss_type": [given.choice("loss", {name: name for name in losses})],
        "beta": given["beta"],
        "scale_rewards": given["scale_rewards"],
        "importance_sampling_level": given["importance"],
        "num_generations": given["num_generations"],
        "num_iterations": given["num_iterations"],
        "max_completion_length": given["max_new_tokens"],
        "temperature": given["temperature"],
        "epsilon": low,
        "epsilon_high": high,
        "overlong_filter": given["mask_truncated"],
        "top_entropy_quantile": given["top_entropy"],
        "use_vllm": False,
    }


_RLHF = ("swift", "rlhf")
_CHATS = {
    Shape.CHAT: rows.SWIFT[Shape.CHAT],
    Shape.PROMPT_COMPLETION: rows.form(
        Shape.PROMPT_COMPLETION,
        lambda record: rows.SWIFT[Shape.CHAT].row(rows.learnt_last(record)),
        messages=None,
        tools=None,
    ),
}
_PAIRS = {Shape.PREFERENCE: rows.SWIFT[Shape.PREFERENCE]}

MS_SWIFT = Trainer(
    name="ms-swift",
    title="ms-swift",
    version="4.6.0",
    ways={
        "sft": Way(sft, _CHATS, ("swift", "sft")),
        "dpo": Way(dpo, _PAIRS, _RLHF),
        "simpo": Way(simpo, _PAIRS, _RLHF),
        "cpo": Way(cpo, _PAIRS, _RLHF),
        "orpo": Way(orpo, _PAIRS, _RLHF),
        "kto": Way(kto, {Shape.UNPAIRED_PREFERENCE: rows.SWIFT[Shape.UNPAIRED_PREFERENCE]}, _RLHF),
        "reward": Way(reward, _PAIRS, _RLHF),
        "grpo": Way(grpo, rows.PROMPTS, _RLHF),
    },
    files=rewards.files,
    metrics=f"{OUTPUT}/checkpoint-*/trainer_state.json",
    weights=f"{OUTPUT}/checkpoint-*",
)
