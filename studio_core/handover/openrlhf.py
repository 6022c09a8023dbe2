"""OpenRLHF: words of the command line with dots in them, as its ``argparse`` parsers in ``openrlhf/cli`` have them."""

from __future__ import annotations

from studio_core.base.errors import BadInput
from studio_core.data.exports.forms import whole
from studio_core.data.shapes import Shape
from studio_core.handover import curves, rewards, rows
from studio_core.handover.base import ATTENTION, HELD_OUT, OUTPUT, TRAIN, Fields, Given, Trainer, Way
from studio_core.handover.curves import Log

_OPTIMIZERS = {"adamw": "adam"}


def common(given: Given) -> Fields:
    """Of SFT, DPO and reward models, which have the same words for the same."""
    if given.adapter:
        raise BadInput("handover.no_adapter", trainer=given.trainer, model=given.run.model.name)
    fields: Fields = {
        "model.model_name_or_path": given.run.model.path,
        "data.dataset": f"data/{TRAIN}.jsonl",
        "data.dataset_split": "train",
        "data.max_len": given["max_length"],
        "train.batch_size": given.global_batch,
        "train.micro_batch_size": given["batch_size"],
        "train.max_epochs": given.whole_epochs(),
        "train.seed": given.run.spec.seed,
        "optim": given.near("optimizer", _OPTIMIZERS, "adam"),
        "adam.lr": given["learning_rate"],
        "adam.betas": [0.9, 0.999],
        "adam.eps": 1e-8,
        "adam.weight_decay": given["weight_decay"],
        "lr_scheduler": given["scheduler"],
        "lr_warmup_ratio": given["warmup"],
        "max_norm": given["max_grad_norm"],
        "ds.param_dtype": given.choice("precision", {"auto": "bf16", "bf16": "bf16"}),
        "ds.zero_stage": 2,
        "model.gradient_checkpointing_enable": given.checkpointing,
        "logger.logging_steps": given["logging_steps"],
        "logger.tensorboard_dir": f"{OUTPUT}/tensorboard",
        "ckpt.output_dir": OUTPUT,
        "ckpt.path": f"{OUTPUT}/checkpoints",
        "ckpt.save_steps": given.save_steps,
        "ckpt.save_hf": True,
        # 0 would divide by it; minus one is once an epoch.
        "eval.steps": given.save_steps if given.held_out else -1,
        **_tuning(given),
    }
    given.ignore("eval_share", "truncation" if given.options.truncation == "end" else "")
    given.ignore("max_steps" if not given.options.max_steps else "")
    if given.run.model.chat_template:
        fields["data.tokenizer_chat_template"] = given.run.model.chat_template
    if given.held_out:
        fields |= {"eval.dataset": f"data/{HELD_OUT}.jsonl", "eval.split": "train"}
    return fields


def _tuning(given: Given) -> Fields:
    if given.tuning == "full":
        return {"ds.lora.rank": 0}
    if given.tuning == "lora":
        given.choice("lora_init", {"zero": None})
    return {
        "ds.lora.rank": given["lora_rank"],
        "ds.lora.alpha": given["lora_alpha"],
        "ds.lora.dropout": given["lora_dropout"],
        "ds.lora.target_modules": ["all-linear"] if given["lora_targets"] == "all" else [*ATTENTION],
        "ds.load_in_4bit": given.tuning == "qlora",
    }


def sft(given: Given) -> Fields:
    given.choice("loss", {"nll": None})
    given.ignore("replay_share")
    fields = {**common(given), "ds.packing_samples": given.near("packing", {"off": False}, False)}
    if given.shape is Shape.TEXT:
        given.ignore("loss_on")
        return {**fields, "data.input_key": "text", "model.pretrain_mode_enable": True}
    given.choice("loss_on", {"answers": None})
    return {
        **fields,
        "data.input_key": "messages",
        "data.apply_chat_template": True,
        # All answers of a chat are learnt, of a prompt with its completion the last one.
        "data.multiturn": given.shape is Shape.CHAT,
    }


def _pairs(given: Given) -> Fields:
    return {
        **common(given),
        "data.prompt_key": "prompt",
        "data.chosen_key": "chosen",
        "data.rejected_key": "rejected",
        "data.apply_chat_template": True,
    }


def dpo(given: Given) -> Fields:
    terms = given.known_terms(("sigmoid", "ipo", "sft"))
    losses = [name for name in terms if name != "sft"]
    if len(losses) != 1 or terms[losses[0]] != 1.0:
        weights = ", ".join(f"{name}={weight:g}" for name, weight in terms.items())
        raise given.lacks("loss_weights", weights, ("sigmoid=1", "ipo=1", "sft"))
    given.choice("divergence", {"reverse_kl": None})
    given.ignore("divergence_alpha")
    return {
        **_pairs(given),
        "model.beta": given["beta"],
        "model.ipo_enable": losses == ["ipo"],
        "model.label_smoothing": given["label_smoothing"],
        "model.nll_loss_coef": terms.get("sft", 0.0),
    }


def reward(given: Given) -> Fields:
    given.choice("margin", {0.0: None})
    return {**_pairs(given), "model.loss_type": "sigmoid", "model.margin_loss_enable": False}


def grpo(given: Given) -> Fields:
    """Its own words: the optimizer is the actor's, a batch is of prompts, and epochs are episodes."""
    given.own_template()
    rewards.check(given)
    given.choice("entropy_coef", {0.0: None})
    estimator = given.choice("scale_rewards", {"group": "group_norm", "none": "dr_grpo"})
    cards = given.run.spec.gpus
    shared = common(given)
    moved = (
        *("optim", "adam.lr", "adam.betas", "adam.eps", "adam.weight_decay"),
        *("lr_scheduler", "lr_warmup_ratio", "max_norm"),
    )
    kept = ("train.batch_size", "train.micro_batch_size", "train.seed", "data.max_len", "eval.steps")
    return {
        "actor.model_name_or_path": shared["model.model_name_or_path"],
        "actor.gradient_checkpointing_enable": shared["model.gradient_checkpointing_enable"],
        **{f"actor.{name}": shared[name] for name in moved},
        **{name: shared[name] for name in kept},
        **{name: value for name, value in shared.items() if name.split(".")[0] in ("ds", "ckpt", "logger")},
        "data.prompt_dataset": f"data/{TRAIN}.jsonl",
        "data.prompt_split": "train",
        "data.input_key": "messages",
        "data.label_key": rewards.RECORD,
        "data.apply_chat_template": True,
        **({"eval.dataset": f"data/{HELD_OUT}.jsonl", "eval.split": "train"} if given.held_out else {}),
        "train.num_episodes": shared["train.max_epochs"],
        "train.max_epochs": given["num_iterations"],
        "rollout.batch_size": given.prompts_of_step,
        "rollout.micro_batch_size": given["batch_size"],
        "rollout.n_samples_per_prompt": given["num_generations"],
        "rollout.max_new_tokens": given["max_new_tokens"],
        "rollout.temperature": given["temperature"],
        "rollout.top_p": 1.0,
        "actor.policy_loss_type": given.choice("importance", {"token": "ppo", "sequence": "gspo"}),
        "actor.loss_agg_mode": given.choice("loss", {"dapo": "token-mean", "grpo": "seq-mean-token-mean"}),
        "actor.eps_clip_low_high": [*given.clip],
        "algo.advantage.estimator": estimator,
        "algo.advantage.gamma": 1.0,
        # The KL is a term of the loss, estimated as TRL does (k3).
        "algo.kl.init_coef": given["beta"],
        "algo.kl.use_loss": True,
        "algo.kl.estimator": "k3",
        "reward.remote_url": rewards.PROGRAM,
        # Its default cuts rewards at 10.
        "reward.clip_range": [-1e6, 1e6],
        "actor.num_nodes": 1,
        "actor.num_gpus_per_node": cards,
        "ref.num_nodes": 1,
        "ref.num_gpus_per_node": cards,
        "vllm.num_engines": cards,
        "vllm.tensor_parallel_size": 1,
        "vllm.enable_sleep": True,
        "ds.enable_sleep": True,
        "train.colocate_all": True,
    }


def _start(name: str) -> tuple[str, ...]:
    return ("deepspeed", "--module", f"openrlhf.cli.train_{name}")


# Of a prompt with its completion the last answer is the completion, without a mark.
_CHATS = {
    Shape.CHAT: rows.PLAIN[Shape.CHAT],
    Shape.PROMPT_COMPLETION: rows.form(
        Shape.PROMPT_COMPLETION,
        lambda record: rows.PLAIN[Shape.CHAT].row(whole(record)),
        messages=None,
    ),
}

# The means over all batches of a step, as ours are; without ``_mean`` they are of the last batch.
_STEPS = {"train/loss_mean": "loss", "train/lr": "learning_rate", "train/grad_norm": "grad_norm"}
_MEASURED = {"eval/eval_loss": "eval_loss", "eval/eval gpt_loss": "eval_loss"}
_DPO = {
    "train/acc_mean": "rewards/accuracies",
    "train/chosen_reward": "rewards/chosen",
    "train/reject_reward": "rewards/rejected",
    "eval/acc_mean": "eval_rewards/accuracies",
}
_REWARD = {"train/acc_mean": "accuracy", "eval/acc_mean": "eval_accuracy"}
_GRPO = {
    "train/reward": "reward",
    "train/response_length": "completions/mean_length",
    "train/actor_lr": "learning_rate",
    "train/actor_grad_norm": "grad_norm",
}

OPENRLHF = Trainer(
    name="openrlhf",
    title="OpenRLHF",
    version="0.11.2",
    ways={
        "sft": Way(sft, _CHATS | rows.TEXTS, _start("sft"), _STEPS | _MEASURED),
        "dpo": Way(dpo, rows.PAIRS, _start("dpo"), _STEPS | _MEASURED | _DPO),
        "reward": Way(reward, rows.PAIRS, _start("rm"), _STEPS | _MEASURED | _REWARD),
        "grpo": Way(grpo, rows.PROMPTS, ("python", "-m", "openrlhf.cli.train_ppo_ray"), _GRPO),
    },
    files=rewards.files,
    config="flags",
    metrics=f"{OUTPUT}/tensorboard",
    log=Log(curves.tensorboard, (f"{OUTPUT}/tensorboard/**/*tfevents*",)),
    weights=OUTPUT,
)
