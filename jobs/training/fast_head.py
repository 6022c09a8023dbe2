"""On a CPU: score the labelled positions only, in one matrix product.

TRL's head for CPUs scores padding and masked positions too and computes its logits again in the
backward pass, which makes small models 1.3 to 3 times slower than a bare loop. This one gives the
same outputs (a test compares losses, gradients and metrics). On a GPU TRL's own kernel is used, and
also where the logits of all labelled positions would need too much memory, or where the model does
more to its logits than a matrix product.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import torch
from torch.nn import functional
from trl.trainer.utils import FusedCausalLMOutput, add_fused_lm_head

_MOST_LOGITS = 1 << 26
"""Logits of one batch that are held at once: with their gradient and softmax 12 bytes each, 800 MB in all."""

_USUAL = ("entropy", "mean_logits", "is_top1")
"""Figures that TRL's trainers report of a policy."""

_CHANGES_LOGITS = (
    "final_logit_softcapping",
    "logit_scale",
    "output_multiplier",
    "lm_head_multiplier",
    "logits_scaling",
)


@dataclass
class Further:
    """Places whose distributions are wanted too, ``(rows, length - 1)``; ``further`` among the inputs of a pass:
    they come of the same product as those of the labels, which are among them."""

    places: torch.Tensor
    log_probs: torch.Tensor | None = None
    """(places, vocabulary), once they are computed; None where another head has scored the labels."""


def takes_further(model: Any) -> bool:
    return getattr(model.forward, "__func__", None) in _FORWARDS


_FORWARDS: WeakSet[Any] = WeakSet()
"""Those of this head."""


@contextmanager
def fast_head(trainer: type) -> Iterator[None]:
    """While it is entered, instances of ``trainer`` that are made get this head."""
    module = sys.modules[trainer.__module__]
    module.add_fused_lm_head = add_head  # type: ignore[attr-defined]
    try:
        yield
    finally:
        module.add_fused_lm_head = add_fused_lm_head  # type: ignore[attr-defined]


def add_head(model: Any, **settings: Any) -> None:
    """``trl.trainer.utils.add_fused_lm_head``, with its forward replaced where this one applies."""
    add_fused_lm_head(model, **settings)
    if not _applies(model, settings):
        return
    fused_forward, outputs = model.forward, settings.get("outputs", ())

    @functools.wraps(type(model).forward)
    def forward(
        self: Any,
        *args: Any,
        fused_lm_head: bool = False,
        labels: Any = None,
        further: Further | None = None,
        **kwargs: Any,
    ) -> Any:
        # What TRL's trainers ask of it in training; generation and evaluation by others go the usual way.
        plain = fused_lm_head and labels is not None and "shift_labels" not in kwargs
        if not plain or (labels != -100).sum() * self.config.get_text_config().vocab_size > _MOST_LOGITS:
            return fused_forward(*args, fused_lm_head=fused_lm_head, labels=labels, **kwargs)
        kwargs.pop("num_items_in_batch", None)
        kwargs["use_cache"] = False  # Keys and values of a training are never asked for again.
        hidden = self.base_model(*args, **kwargs).last_hidden_state[:, :-1]
        return scored(hidden, self.get_output_embeddings(), labels[:, 1:], outputs, further)

    _FORWARDS.add(forward)
    model.forward = types.MethodType(forward, model)


def _applies(model: Any, settings: dict[str, Any]) -> bool:
    config = model.config.get_text_config()
    return (
        model.device.type == "cpu"
        and settings.keys() <= {"outputs"}
        and not getattr(config, "output_router_logits", False)
        and not any(getattr(config, name, None) is not None for name in _CHANGES_LOGITS)
    )


def scored(
    hidden: torch.Tensor,
    head: torch.nn.Linear,
    labels: torch.Tensor,
    outputs: Collection[str] = _USUAL,
    further: Further | None = None,
) -> FusedCausalLMOutput:
    """Log-probabilities of ``labels`` (rows, length) under ``hidden`` (rows, length, width); 0 where -100.

    ``outputs`` are the figures to give besides, by TRL's names; those that are not named are None.
    """
    mask = labels != -100
    targets = labels[mask]
    # In full precision: a softmax over thousands of words loses small probabilities in bf16.
    if further is None:
        logits = head(hidden[mask]).float()
        log_probs = -functional.cross_entropy(logits, targets, reduction="none")
        watched = figures(logits, targets, outputs)
    else:
        logits = head(hidden[further.places]).float()
        further.log_probs = logits.log_softmax(-1)
        learnt = mask[further.places]
        log_probs = further.log_probs[learnt.nonzero()[:, 0], targets]
        of_all = figures(logits, labels[further.places], outputs)
        watched = {name: values[learnt] for name, values in of_all.items()}

    def placed(values: torch.Tensor) -> torch.Tensor:
        return values.new_zeros(mask.shape).masked_scatter(mask, values)

    return FusedCausalLMOutput(
        loss=-log_probs.sum() / mask.sum().clamp(min=1),
        log_probs=placed(log_probs),
        label_mask=mask,
        **{name: placed(values) for name, values in watched.items()},
    )


@torch.no_grad()
def figures(logits: torch.Tensor, targets: torch.Tensor, outputs: Collection[str]) -> dict[str, torch.Tensor]:
    """What is watched of ``logits`` (positions, vocabulary): (positions,) each. ``log_sum_sq_probs``, the logarithm of
    the sum of all squared probabilities, is what WPO's weights need.

    Each is one more pass over the logits, as long as a share of the product that made them: a reference, of which
    log-probabilities alone are asked, must not pay for them.
    """
    given: dict[str, torch.Tensor] = {}
    if "mean_logits" in outputs:
        given["mean_logits"] = logits.mean(-1)
    if "is_top1" in outputs:
        given["is_top1"] = logits.argmax(-1) == targets
    if "entropy" in outputs or "log_sum_sq_probs" in outputs:
        log_normaliser = torch.logsumexp(logits, dim=-1)
        if "log_sum_sq_probs" in outputs:
            given["log_sum_sq_probs"] = torch.logsumexp(2 * logits, dim=-1) - 2 * log_normaliser
        if "entropy" in outputs:
            likely = (logits - log_normaliser[:, None]).exp_()
            given["entropy"] = log_normaliser - likely.mul_(logits).sum(-1)
    return given
