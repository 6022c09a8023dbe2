"""The result of a training: a model folder that is whole or not there, and the last event."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoConfig, GenerationConfig, PreTrainedTokenizerBase
from transformers.utils import GENERATION_CONFIG_NAME

from jobs.generation.stopping import end_tokens, template_end
from studio_core.base import atomic
from studio_core.data.shapes import Shape
from studio_core.data.turn_end import TurnEnd
from studio_core.methods import METHODS
from studio_core.runs import run_folder
from studio_core.runs.spec import RunSpec

INITIAL = "initial"
"""An adapter as it began, where its base was taken apart for it: what is saved is the difference to it."""


def save(
    run_dir: Path,
    run: RunSpec,
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    weights: dict[str, torch.Tensor] | None = None,
) -> str:
    """Save adapter or model with its tokenizer as ``model/``; returns ``adapter`` or ``full``.

    A full model gets the precision in which its base was stored. ``weights`` are those of a model
    that is in shards.
    """
    with whole_model(run_dir) as partial:
        if isinstance(model, PeftModel):
            # DPO keeps the adapter that it started from beside the trained one, as its reference.
            initial = run_dir / INITIAL
            model.save_pretrained(
                partial,
                selected_adapters=["default"],
                save_embedding_layers=False,
                state_dict=weights,
                path_initial_model_for_weight_conversion=str(initial) if initial.is_dir() else None,
            )
            shutil.rmtree(initial, ignore_errors=True)
            kind = "adapter"
        else:
            stored = (
                AutoConfig.from_pretrained(
                    run.model.path, trust_remote_code=run.model.trust_remote_code
                ).dtype
                or torch.float32
            )
            if weights is None:
                model.to(stored)
            else:
                tied = model.all_tied_weights_keys  # Gathered from the shards they are tensors of their own.
                weights = {name: weight.to(stored) for name, weight in weights.items() if name not in tied}
                model.config.dtype = stored
            model.save_pretrained(partial, max_shard_size="4GB", state_dict=weights)
            kind = "full"
        if METHODS[run.spec.method].writes:
            _name_end(partial, run, model, tokenizer)
        tokenizer.save_pretrained(partial)
    return kind


@contextmanager
def whole_model(run_dir: Path) -> Iterator[Path]:
    """A folder to save a model in. When it is left it becomes the run's ``model/``: whole, or not there."""
    with atomic.whole_folder(run_dir / run_folder.MODEL) as partial:
        yield partial


def _name_end(folder: Path, run: RunSpec, model: Any, tokenizer: PreTrainedTokenizerBase) -> None:
    """Have generation settings and tokenizer name what an answer was taught to end with: other programs look there.

    A dataset of texts taught the tokenizer's own end, so nothing changes. The tokenizer's is left as it is also
    where the template writes it (Phi-3 closes a conversation with it), since the template would write another text.
    Generation settings keep the old token beside the new: what the base learnt may still end with it.
    """
    end = TurnEnd() if run.dataset.shape == Shape.TEXT else template_end(tokenizer)
    written = (Path(run.model.path) / GENERATION_CONFIG_NAME).is_file()
    settings = (
        GenerationConfig.from_pretrained(run.model.path)
        if written
        else copy.deepcopy(model.generation_config)
    )
    named = dict.fromkeys([*end.tokens, *end_tokens(settings), tokenizer.eos_token_id])
    settings.eos_token_id = list(named) if len(named) > 1 else next(iter(named))
    # Not by ``save_pretrained``: it would refuse whatever else the base's author wrote there in error.
    settings.to_json_file(folder / GENERATION_CONFIG_NAME, use_diff=True, keys_to_pop=["compile_config"])
    special = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    if end.learnt in special and "eos_token" not in tokenizer.chat_template:
        tokenizer.eos_token = end.learnt
