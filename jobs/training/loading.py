"""The model and the tokenizer of a run, on the device and in the precision that it will use."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil
import torch
from datasets import Dataset
from peft import PeftConfig, PeftModel, get_peft_model
from pyarrow.compute import add, list_flatten, list_value_length
from pyarrow.compute import max as largest
from transformers import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedTokenizerBase,
)
from transformers.utils import is_flash_attn_2_available
from trl.trainer.reward_trainer import suppress_seqcls_warning

from jobs.generation.scoring import SCORE_HEADS
from jobs.generation.stopping import end_tokens
from jobs.machine import cpu_gains_from_bf16
from jobs.training.tunings import of_run
from studio_core import tunings
from studio_core.base.errors import BadInput
from studio_core.methods import METHODS, memory
from studio_core.methods.base import read
from studio_core.methods.common import TrainingOptions
from studio_core.methods.rollouts import RolloutOptions
from studio_core.models.inspect import inspect, require_own_files
from studio_core.models.size import ModelSize
from studio_core.runs.spec import ResolvedModel, RunSpec

_LARGE = 500_000_000
"""Frozen weights of models above this many parameters are held in bf16 also on a CPU: below it speed counts, above it
the bytes that fp32 takes more, from 1 GB on."""


@dataclass(frozen=True)
class Machine:
    """Where a run computes, and in which numbers."""

    device: Literal["cpu", "cuda"]
    precision: Literal["bf16", "fp32"]
    name: str

    @property
    def on_gpu(self) -> bool:
        return self.device == "cuda"

    def memory(self) -> int:
        """Bytes that a run can have: of a GPU what is free and what this process holds already."""
        if not self.on_gpu:
            return int(psutil.virtual_memory().total)
        return int(torch.cuda.mem_get_info()[0]) + int(torch.cuda.memory_reserved())

    def autocast(self) -> torch.autocast:
        """What forward passes outside the trainer run under, so that they equal those inside."""
        return torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bf16")


def machine_for(run: RunSpec, options: TrainingOptions) -> Machine:
    """The device that the launcher chose, else a GPU if there is one; its fast precision."""
    wanted = os.environ.get("TUNESMITH_DEVICE") or {"cpu": "cpu", "gpu": "cuda", "auto": ""}[run.spec.device]
    device = wanted or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        raise BadInput("methods.no_gpu")
    if device == "cuda":
        fast = torch.cuda.is_bf16_supported()
        name = torch.cuda.get_device_name()
    else:
        fast = options.precision == "auto" and cpu_gains_from_bf16()
        name = f"CPU, {torch.get_num_threads()} threads"
    precision = options.precision if options.precision != "auto" else "bf16" if fast else "fp32"
    return Machine("cuda" if device == "cuda" else "cpu", precision, name)


def load_tokenizer(model: ResolvedModel) -> PreTrainedTokenizerBase:
    """The model's tokenizer, with the standard chat template if it has none and a token to pad with."""
    for folder in filter(None, (model.path, model.adapter)):
        require_own_files(Path(folder))
    own = model.adapter and (Path(model.adapter) / "tokenizer_config.json").exists()
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
        model.adapter if own else model.path, trust_remote_code=model.trust_remote_code
    )
    if tokenizer.chat_template is None:
        tokenizer.chat_template = model.chat_template
    if tokenizer.eos_token is None:
        raise BadInput("methods.no_end_token", model=model.name)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token  # Padding is masked by position, so it hides no real end.
    return tokenizer


def load_model(run: RunSpec, machine: Machine, sharded: bool = False) -> Any:
    """The base model as it will be trained; with the adapter of an earlier run, if it goes on from one.

    LoRA on an adapter continues a copy of that adapter; full tuning merges it into the base first.
    Weights that are trained are held in fp32, frozen ones in the precision of the machine.
    ``sharded``: it stays in main memory, until the trainer gives each GPU its part.
    """
    tuning = tunings.named(run.spec.tuning)
    if problem := tuning.missing():
        raise problem
    model = AutoModelForCausalLM.from_pretrained(run.model.path, **_how(run, machine, sharded))
    # Checkpoints are refused where the model's author set what has no effect (a temperature without sampling) and
    # the trainer changed a token. Its own settings are saved with the result.
    model.generation_config = GenerationConfig(eos_token_id=end_tokens(model.generation_config) or None)
    if run.model.adapter:
        model = PeftModel.from_pretrained(model, run.model.adapter, is_trainable=not tuning.whole)
        if tuning.whole:
            model = model.merge_and_unload()
            model.requires_grad_(True)
    _choose_what_learns(run, model)
    _keep_4_bits_as_they_are(model)
    return model


def load_frozen(run: RunSpec, model: ResolvedModel, machine: Machine) -> Any:
    """A model of another role that writes and does not learn: with its adapter merged, in 16 bits on a GPU."""
    how = _how(run.model_copy(update={"model": model}), machine, False)
    how |= {"dtype": torch.bfloat16 if machine.on_gpu else torch.float32, "quantization_config": None}
    loaded = AutoModelForCausalLM.from_pretrained(model.path, **how)
    if model.adapter:
        loaded = PeftModel.from_pretrained(loaded, model.adapter).merge_and_unload()
    return loaded.requires_grad_(False).eval()


def load_scorer(run: RunSpec, machine: Machine, sharded: bool = False) -> Any:
    """The base model with one new output in place of those for words; one that scores already goes on as it is.

    The adapter of an earlier run is merged. Held as by ``load_model``; the new output learns always, in fp32.
    """
    how = _how(run, machine, sharded)
    _require_scoring(run.model)
    with suppress_seqcls_warning():  # That the output is new is what is wanted.
        scorer, loaded = AutoModelForSequenceClassification.from_pretrained(
            run.model.path, num_labels=1, output_loading_info=True, **how
        )
    head = next((getattr(scorer, name) for name in SCORE_HEADS if hasattr(scorer, name)), None)
    below = f"{scorer.base_model_prefix}."
    if head is None or any(name.startswith(below) for name in loaded["missing_keys"]):
        raise BadInput("methods.cannot_score", model=run.model.name, architecture=type(scorer).__name__)
    if run.model.adapter:
        writer = AutoModelForCausalLM.from_pretrained(run.model.path, **how)
        merged = PeftModel.from_pretrained(writer, run.model.adapter).merge_and_unload()
        scorer.base_model.load_state_dict(merged.base_model.state_dict())
    _choose_what_learns(run, scorer)
    _keep_4_bits_as_they_are(scorer)
    head.float().requires_grad_(True)
    return scorer


def _keep_4_bits_as_they_are(model: Any) -> None:
    """On processors with AVX512-BF16 bitsandbytes 0.50 packs weights anew whenever a model answers, in the midst of its
    training: their scales are bf16 ever after, and rows that are no whole number of blocks of 64 are an error."""
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def _choose_what_learns(run: RunSpec, model: Any) -> None:
    """Of a model that is trained without an adapter; all of it, if its way of tuning says nothing."""
    if prepare := of_run(run).prepare:
        prepare(model, read(METHODS[run.spec.method], tunings.named(run.spec.tuning), run.options))


def _require_scoring(model: ResolvedModel) -> None:
    """Raises ``BadInput`` for an architecture without a form that scores, and for classifiers of several classes."""
    config = AutoConfig.from_pretrained(model.path, trust_remote_code=model.trust_remote_code)
    architecture = str((config.architectures or [config.model_type])[0])
    own = "AutoModelForSequenceClassification" in (getattr(config, "auto_map", None) or {})
    if not own and type(config) not in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING:
        raise BadInput("methods.cannot_score", model=model.name, architecture=architecture[:80])
    if architecture.endswith("ForSequenceClassification") and config.num_labels != 1:
        raise BadInput("methods.many_scores", model=model.name, outputs=config.num_labels)


def _how(run: RunSpec, machine: Machine, sharded: bool) -> dict[str, Any]:
    """How all models of a run are loaded; refused are weights that are not safetensors."""
    place: Any = torch.cuda.current_device() if machine.on_gpu else "cpu"
    for folder in filter(None, (run.model.path, run.model.adapter)):
        if not any(Path(folder).glob("*.safetensors")):
            raise BadInput("methods.not_safetensors", model=run.model.name, path=folder)
    quantization = of_run(run).quantization
    return {
        "dtype": _dtype(run, machine),
        "use_safetensors": True,
        "trust_remote_code": run.model.trust_remote_code,
        "attn_implementation": "flash_attention_2"
        if machine.on_gpu and is_flash_attn_2_available()
        else None,
        "quantization_config": quantization(machine.precision) if quantization else None,
        "device_map": {"": place} if (quantization or machine.on_gpu) and not sharded else None,
    }


def _dtype(run: RunSpec, machine: Machine) -> torch.dtype:
    frozen = not tunings.named(run.spec.tuning).whole and machine.precision == "bf16"
    return torch.bfloat16 if frozen and (machine.on_gpu or run.model.parameters > _LARGE) else torch.float32


def new_adapter(
    run: RunSpec, options: TrainingOptions, model: Any, task: str = "CAUSAL_LM"
) -> PeftConfig | None:
    """What learns beside the frozen weights; None if all of them do, or if ``model`` brings an adapter to continue."""
    adapter = of_run(run).adapter
    if adapter is None or isinstance(model, PeftModel):
        return None
    config = adapter(run, model, options)
    config.task_type = task
    return config


def with_adapter(run: RunSpec, options: TrainingOptions, model: Any, task: str = "CAUSAL_LM") -> Any:
    """The model with what learns beside it, for loops of our own; TRL's trainers add it themselves."""
    config = new_adapter(run, options, model, task)
    return model if config is None else get_peft_model(model, config)


def _size(model: ResolvedModel) -> ModelSize:
    found = inspect(Path(model.path), trust_remote_code=model.trust_remote_code)
    return ModelSize.of(model.parameters or found.parameters, found.details())


def needs_checkpointing(run: RunSpec, options: TrainingOptions, rows: Dataset, machine: Machine) -> bool:
    """Whether activations are computed twice, by the plan's own formula; the worker knows how much memory is free."""
    if options.activation_checkpointing != "auto":
        return options.activation_checkpointing == "on"
    policy = _size(run.model)
    others = {role: _size(model) for role, model in run.models.items()}
    needed = memory.of_run(
        memory.sizes_by_role(METHODS[run.spec.method], policy, others, options),
        options,
        tuning=run.spec.tuning,
        batch_size=options.batch_size,
        longest=_longest(rows, options),
        device="gpu" if machine.on_gpu else "cpu",
        available=machine.memory(),
        gpus=run.spec.gpus,
        parallel=run.spec.parallel,
    )
    return needed.checkpointing


def _longest(rows: Dataset, options: TrainingOptions) -> int:
    """Tokens of the longest sequence: of a judged answer or a pair, the prompt with its longest answer."""
    limit = options.max_length
    if "answers" in rows.column_names:
        return min(limit, int(largest(list_value_length(list_flatten(rows.data.column("answers")))).as_py()))
    lengths = {
        name: list_value_length(rows.data.column(name)) for name in rows.column_names if "_ids" in name
    }
    prompts = lengths.pop("prompt_ids", 0)
    if isinstance(options, RolloutOptions):  # The answers are still to be written.
        return min(limit, int(largest(prompts).as_py()) + options.max_new_tokens)
    return min(limit, max(int(largest(add(prompts, answers)).as_py()) for answers in lengths.values()))
