"""The model as it was before the training, beside the one that learns: frozen, asked without gradient or dropout.

Where every weight learns it is a copy; beside an adapter it is the frozen model itself, with the adapter switched off,
or with a copy of the adapter that the training goes on with.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator
from peft import PeftModel
from trl.models import prepare_deepspeed, prepare_fsdp
from trl.trainer.utils import use_adapter

_BEFORE = "ref"
"""Name of the copy of an adapter; TRL's trainers call it so too."""


def frozen_copy(model: Any, whole: bool) -> Any:
    """The reference of a model all of whose weights learn; None beside an adapter, where it needs no weights of its own
    but a copy of the adapter that ``model`` brings along."""
    if whole:
        # Not loaded anew: an adapter that full tuning began with is merged in memory only.
        return copy.deepcopy(model).requires_grad_(False).eval()
    if isinstance(model, PeftModel):
        model.add_adapter(_BEFORE, model.peft_config["default"])
        for name, weight in model.named_parameters():
            if ".default." in name:
                model.get_parameter(name.replace(".default.", f".{_BEFORE}.")).data.copy_(weight.data)
    return None


def prepared(reference: Any, accelerator: Accelerator) -> Any:
    """A copy on the device of the training, in shards where that is."""
    if reference is None:
        return None
    if accelerator.state.deepspeed_plugin is not None:
        return prepare_deepspeed(reference, accelerator)
    if getattr(accelerator.state, "fsdp_plugin", None) is not None:
        return prepare_fsdp(reference, accelerator)
    return accelerator.prepare_model(reference, evaluation_mode=True)


@contextmanager
def as_before(model: Any, reference: Any) -> Iterator[Any]:
    """The model as it was: ``reference``, or ``model`` without what learns beside it."""
    with torch.no_grad():
        if reference is not None:
            yield reference
            return
        training = model.training
        model.eval()  # No dropout, and no noise on embeddings.
        with use_adapter(model, _BEFORE if _BEFORE in model.peft_config else None):
            yield model
        model.train(training)


def plain(before: Any) -> Any:
    """What ``as_before`` gives, without virtual tokens that the training adds: a copy of an adapter has its own."""
    return (
        before.get_base_model()
        if isinstance(before, PeftModel) and _BEFORE not in before.peft_config
        else before
    )
