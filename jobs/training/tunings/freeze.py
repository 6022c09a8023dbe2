"""Freezing by layers: gradients for the last layers and the norm above them, for nothing else."""

from __future__ import annotations

from typing import Any

from torch.nn import Module, ModuleList

from jobs.training.tunings import Implementation
from studio_core.base.errors import BadInput
from studio_core.tunings.freeze import FreezeOptions


def prepare(model: Any, options: FreezeOptions) -> None:
    decoder = _decoder(model)
    model.requires_grad_(False)
    for layer in _layers(decoder)[-options.trained_layers :]:
        layer.requires_grad_(True)
    # What stands beside the layers after them: the last norm, whatever it is called. Embeddings stand before.
    names = [name for name, _ in decoder.named_children()]
    layers = next(name for name, child in decoder.named_children() if child is _layers(decoder))
    for name in names[names.index(layers) + 1 :]:
        getattr(decoder, name).requires_grad_(True)


def _layers(decoder: Module) -> ModuleList:
    return next(child for child in decoder.children() if isinstance(child, ModuleList))


def _decoder(model: Any) -> Module:
    """The part of the model that holds its layers in a list."""
    count = model.config.get_text_config().num_hidden_layers
    for module in model.modules():
        if any(isinstance(child, ModuleList) and len(child) == count for child in module.children()):
            found: Module = module
            return found
    raise BadInput("tunings.no_layers", model=type(model).__name__)


IMPLEMENTATION = Implementation(prepare=prepare)
