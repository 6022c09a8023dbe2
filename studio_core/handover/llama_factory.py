"""LLaMA-Factory: one YAML file of the dataclasses in ``hparams`` and transformers' ``TrainingArguments``."""

from __future__ import annotations

import json
from typing import Any

from studio_core.data.shapes import Shape
from studio_core.handover import rows
from studio_core.handover.base import ATTENTION, HELD_OUT, OUTPUT, TRAIN, Fields, Given, Trainer, Way

_OPTIMIZERS = {"adamw": "adamw_torch", "adamw_8bit": "adamw_bnb_8bit", "adafactor": "adafactor"}


def common(given: Given, stage: str) -> Fields:
    given.own_template()
    fields: Fields = {
        "stage": stage,
        "do_train": True,
        "model_name_or_path": given.run.model.path,
        "trust_remote_code": given.run.model.trust_remote_code,
        "dataset_dir": "data",
        "dataset": TRAIN,
        # Empty: it reads the tokenizer's own; names such as qwen3 are templates of its own, which add to the text.
        "template": None,
        "cutoff_len": given["max_length"],
        "output_dir": OUTPUT,
        "learning_rate": given["learning_rate"],
        "num_train_epochs": given["epochs"],
        "max_steps": given["max_steps"] or -1,
        "per_device_train_batch_size": given["batch_size"],
        "gradient_accumulation_steps": given["gradient_accumulation"],
        "lr_scheduler_type": given["scheduler"],
        "warmup_steps": given.warmup_steps,
        "weight_decay": given["weight_decay"],
        "max_grad_norm": given["max_grad_norm"],
        "optim": given.choice("optimizer", _OPTIMIZERS),
        "adam_beta1": 0.9,
        "adam_beta2": 0.999,
        "adam_epsilon": 1e-8,
        "bf16": given.bf16,
        "fp16": False,
        "disable_gradient_checkpointing": not given.checkpointing,
        "logging_steps": given["logging_steps"],
        "save_strategy": "steps",
        "save_steps": given.save_steps,
        "eval_strategy": "no",
        "report_to": "none",
        "seed": given.run.spec.seed,
        **_tuning(given),
    }
    given.ignore("eval_share")
    if given.held_out:
        fields |= {"eval_dataset": HELD_OUT, "eval_strategy": "steps", "eval_steps": given.save_steps}
    return fields


def _tuning(given: Given) -> Fields:
    if given.tuning == "full":
        return {"finetuning_type": "full"}
    fields: Fields = {
        "finetuning_type": "lora",
        "lora_rank": given["lora_rank"],
        "lora_alpha": given["lora_alpha"],
        "lora_dropout": given["lora_dropout"],
        "lora_target": "all" if given["lora_targets"] == "all" else ",".join(ATTENTION),
        "use_rslora": given["lora_rslora"],
        "use_dora": given["lora_dora"],
    }
    if given["lora_plus"] != 1.0:
        fields["loraplus_lr_ratio"] = given["lora_plus"]
    if given.tuning == "lora":
        fields["pissa_init"] = given.choice("lora_init", {"zero": False, "pissa": True})
    else:
        fields |= {"quantization_method": "bnb", "quantization_bit": 4, "quantization_type": "nf4"}
        fields["double_quantization"] = True
    return {**fields, "adapter_name_or_path": given.adapter} if given.adapter else fields


def sft(given: Given) -> Fields:
    given.choice("loss", {"nll": None})
    given.ignore("replay_share")
    packing = given.near("packing", {"off": False}, False)
    if given.shape is Shape.TEXT:
        given.ignore("loss_on")
        fields = common(given, "pt")
    else:
        everything = given["loss_on"] == "everything"
        fields = {
            **common(given, "sft"),
            "train_on_prompt": everything,
            # Of a prompt with a completion the completion alone is learnt.
            "mask_history": given.shape is Shape.PROMPT_COMPLETION and not everything,
        }
    fields["packing"] = packing
    if given["neftune"]:
        fields["neftune_noise_alpha"] = given["neftune"]
    return fields


def dpo(given: Given) -> Fields:
    terms = given.known_terms(("sigmoid", "ipo", "hinge", "sft"))
    [loss, *others] = [name for name in terms if name != "sft"] or ["sft"]
    # One loss with the weight 1 and the SFT term: no others, no other weights.
    if others or loss == "sft" or terms[loss] != 1.0:
        weights = ", ".join(f"{name}={weight:g}" for name, weight in terms.items())
        raise given.lacks("loss_weights", weights, ("sigmoid=1", "ipo=1", "hinge=1", "sft"))
    given.choice("divergence", {"reverse_kl": None})
    given.ignore("divergence_alpha")
    return {
        **common(given, "dpo"),
        "pref_loss": loss,
        "pref_beta": given["beta"],
        "pref_ftx": terms.get("sft", 0.0),
        "dpo_label_smoothing": given["label_smoothing"],
        "ld_alpha": given["ld_alpha"],
    }


def simpo(given: Given) -> Fields:
    return {
        **common(given, "dpo"),
        "pref_loss": "simpo",
        "pref_beta": given["beta"],
        # Nats, where ours is a share of beta.
        "simpo_gamma": given["margin_ratio"] * given["beta"],
        "pref_ftx": given["sft_weight"],
    }


def orpo(given: Given) -> Fields:
    return {**common(given, "dpo"), "pref_loss": "orpo", "pref_beta": given["odds_weight"], "pref_ftx": 0.0}


def kto(given: Given) -> Fields:
    given.choice("loss", {"kto": None})
    good, bad = given.kinds
    return {
        **common(given, "kto"),
        "pref_beta": given["beta"],
        "kto_chosen_weight": good,
        "kto_rejected_weight": bad,
    }


def reward(given: Given) -> Fields:
    given.choice("margin", {0.0: None})
    return common(given, "rm")


_TAGS = {
    "role_tag": "from",
    "content_tag": "value",
    "user_tag": "human",
    "assistant_tag": "gpt",
    "observation_tag": "observation",
    "function_tag": "function_call",
}
_COLUMNS = {"messages": "conversations", "system": "system", "tools": "tools"}


def dataset_info(given: Given) -> dict[str, str]:
    """``data/dataset_info.json``, by which it finds files and columns."""

    def entry(name: str) -> dict[str, Any]:
        if given.shape is Shape.TEXT:
            return {"file_name": f"{name}.jsonl", "columns": {"prompt": "text"}}
        columns, more = dict(_COLUMNS), {}
        if given.shape is Shape.PREFERENCE:
            columns |= {"chosen": "chosen", "rejected": "rejected"}
            more = {"ranking": True}
        elif given.shape is Shape.UNPAIRED_PREFERENCE:
            columns["kto_tag"] = "kto_tag"
        # Not as "openai": that reader puts words into the system prompt.
        return {
            "file_name": f"{name}.jsonl",
            "formatting": "sharegpt",
            **more,
            "columns": columns,
            "tags": _TAGS,
        }

    names = [TRAIN, HELD_OUT] if given.held_out else [TRAIN]
    return {"data/dataset_info.json": json.dumps({name: entry(name) for name in names}, indent=2) + "\n"}


_START = ("llamafactory-cli", "train")
_CHATS = {shape: rows.SHAREGPT[shape] for shape in (Shape.CHAT, Shape.PROMPT_COMPLETION)}
_PAIRS = {Shape.PREFERENCE: rows.SHAREGPT[Shape.PREFERENCE]}

LLAMA_FACTORY = Trainer(
    name="llama-factory",
    title="LLaMA-Factory",
    version="0.9.5",
    ways={
        "sft": Way(sft, _CHATS | rows.TEXTS, _START),
        "dpo": Way(dpo, _PAIRS, _START),
        "simpo": Way(simpo, _PAIRS, _START),
        "orpo": Way(orpo, _PAIRS, _START),
        "kto": Way(kto, {Shape.UNPAIRED_PREFERENCE: rows.SHAREGPT[Shape.UNPAIRED_PREFERENCE]}, _START),
        "reward": Way(reward, _PAIRS, _START),
    },
    files=dataset_info,
    metrics=f"{OUTPUT}/trainer_state.json",
    weights=OUTPUT,
)
