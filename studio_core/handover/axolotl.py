"""axolotl: one YAML file, checked by pydantic classes of its own (``axolotl/utils/schemas``)."""

from __future__ import annotations

from typing import Any

from studio_core.data.shapes import Shape
from studio_core.handover import rows
from studio_core.handover.base import ATTENTION, HELD_OUT, OUTPUT, TRAIN, Fields, Given, Trainer, Way

_OPTIMIZERS = {"adamw": "adamw_torch", "adamw_8bit": "adamw_bnb_8bit", "adafactor": "adafactor"}
_LOSSES = (
    "sigmoid", "hinge", "ipo", "exo_pair", "nca_pair", "robust", "bco_pair", "sppo_hard", "aot",
    "aot_unpaired", "discopop", "apo_zero", "apo_down", "sigmoid_norm", "sft",
)  # fmt: skip


def common(given: Given, type: str, **data: Any) -> Fields:
    """What every method has; ``type`` is its name for the form of the rows."""
    spec = given.run.spec

    def dataset(name: str) -> dict[str, Any]:
        return {"path": f"data/{name}.jsonl", "ds_type": "json", "split": "train", "type": type, **data}

    fields: Fields = {
        "base_model": given.run.model.path,
        "trust_remote_code": given.run.model.trust_remote_code,
        "datasets": [dataset(TRAIN)],
        "val_set_size": 0.0,
        "output_dir": OUTPUT,
        "learning_rate": given["learning_rate"],
        "num_epochs": given["epochs"],
        "micro_batch_size": given["batch_size"],
        "gradient_accumulation_steps": given["gradient_accumulation"],
        "sequence_len": given["max_length"],
        "excess_length_strategy": given.near("truncation", {"end": "truncate"}, "truncate"),
        "lr_scheduler": given["scheduler"],
        "warmup_steps": given.warmup_steps,
        "weight_decay": given["weight_decay"],
        "max_grad_norm": given["max_grad_norm"],
        "optimizer": given.choice("optimizer", _OPTIMIZERS),
        "adam_beta1": 0.9,
        "adam_beta2": 0.999,
        "adam_epsilon": 1e-8,
        "bf16": given.bf16,
        "fp16": False,
        "tf32": False,
        "gradient_checkpointing": given.checkpointing,
        "logging_steps": given["logging_steps"],
        "save_steps": given.save_steps,
        "seed": spec.seed,
        "use_tensorboard": True,
        **_template(given),
        **_tuning(given),
    }
    given.ignore("eval_share")  # The rows lie apart already.
    if given["max_steps"]:
        fields["max_steps"] = given["max_steps"]
    if given.held_out:
        fields |= {"test_datasets": [dataset(HELD_OUT)], "eval_steps": given.save_steps}
        if given["early_stopping_patience"]:
            fields["early_stopping_patience"] = given["early_stopping_patience"]
    return fields


def _template(given: Given) -> Fields:
    if given.run.model.chat_template:
        return {"chat_template": "jinja", "chat_template_jinja": given.run.model.chat_template}
    return {"chat_template": "tokenizer_default"}


def _tuning(given: Given) -> Fields:
    if given.tuning == "full":
        return {}
    fields: Fields = {
        "adapter": given.tuning,
        "load_in_4bit": given.tuning == "qlora",
        "lora_r": given["lora_rank"],
        "lora_alpha": given["lora_alpha"],
        "lora_dropout": given["lora_dropout"],
        "peft_use_rslora": given["lora_rslora"],
        "peft_use_dora": given["lora_dora"],
    }
    if given["lora_targets"] == "all":
        fields["lora_target_linear"] = True
    else:
        fields["lora_target_modules"] = [*ATTENTION]
    if given["lora_plus"] != 1.0:
        fields["loraplus_lr_ratio"] = given["lora_plus"]
    if given.tuning == "lora" and given["lora_init"] != "zero":
        fields["peft_init_lora_weights"] = given["lora_init"]
    return {**fields, "lora_model_dir": given.adapter} if given.adapter else fields


def sft(given: Given) -> Fields:
    given.choice("loss", {"nll": None})
    given.ignore("replay_share")
    if given.shape is Shape.TEXT:
        given.ignore("loss_on")
        fields = common(given, "completion", field="text")
    else:
        fields = common(
            given,
            "chat_template",
            field_messages="messages",
            field_tools="tools",
            field_thinking="reasoning_content",
            message_field_training="train",
            roles_to_train=["assistant"],
            train_on_eos="turn",
        )
        fields["train_on_inputs"] = given["loss_on"] == "everything"
    fields["sample_packing"] = given.near("packing", {"off": False}, False)
    if given["neftune"]:
        fields["neftune_noise_alpha"] = given["neftune"]
    return fields


def _pairs(given: Given, rl: str) -> Fields:
    names = {"field_messages": "messages", "field_chosen": "chosen", "field_rejected": "rejected"}
    return {**common(given, "chat_template.default", **names), "rl": rl}


def dpo(given: Given) -> Fields:
    terms = given.known_terms(_LOSSES)
    given.choice("divergence", {"reverse_kl": None})
    given.ignore("divergence_alpha")
    return {
        **_pairs(given, "dpo"),
        "rl_beta": given["beta"],
        "dpo_loss_type": [*terms],
        "dpo_loss_weights": [*terms.values()],
        "dpo_label_smoothing": given["label_smoothing"],
        "dpo_use_weighting": given["use_weighting"],
        "precompute_ref_log_probs": given["precompute_reference"],
    }


def simpo(given: Given) -> Fields:
    return {
        **_pairs(given, "simpo"),
        "rl_beta": given["beta"],
        # TRL's gamma is a number of nats, ours a share of beta.
        "simpo_gamma": given["margin_ratio"] * given["beta"],
        "cpo_alpha": given["sft_weight"],
    }


def orpo(given: Given) -> Fields:
    return {
        **common(given, "chat_template.argilla"),
        "rl": "orpo",
        "orpo_alpha": given["odds_weight"],
        "remove_unused_columns": False,
    }


def reward(given: Given) -> Fields:
    given.choice("margin", {0.0: None})
    return {
        **common(given, "bradley_terry.chat_template"),
        "reward_model": True,
        "model_type": "AutoModelForSequenceClassification",
        "num_labels": 1,
        "center_rewards_coefficient": given["center"],
    }


_START = ("axolotl", "train")

AXOLOTL = Trainer(
    name="axolotl",
    title="axolotl",
    version="0.19.0",
    ways={
        "sft": Way(sft, rows.FULL | rows.TEXTS, _START),
        "dpo": Way(dpo, rows.PAIRS_BESIDE, _START),
        "simpo": Way(simpo, rows.PAIRS_BESIDE, _START),
        "orpo": Way(orpo, rows.PAIRS_WHOLE, _START),
        "reward": Way(reward, rows.PAIRS_OF_TEXTS, _START),
    },
    metrics=f"{OUTPUT}/checkpoint-*/trainer_state.json",
    weights=OUTPUT,
)
