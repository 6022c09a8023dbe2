"""The weights of a model that is exported: tensor by tensor from its files, or merged with its adapter in fp32."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors import safe_open
from transformers import AutoModelForCausalLM

from studio_core.models.inspect import require_own_files
from studio_core.runs.spec import ResolvedModel


def merged(model: ResolvedModel) -> Any:
    """The complete model, in fp32 on the CPU; an adapter is added to its weights, and refused if that makes no numbers.

    Of QLoRA the base that is loaded is the one in its full precision: what was learnt beside rounded weights is added
    to those that were not rounded.
    """
    for folder in filter(None, (model.path, model.adapter)):
        require_own_files(Path(folder))
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        model.path, dtype=torch.float32, use_safetensors=True, device_map={"": "cpu"}
    )
    if model.adapter:
        loaded = PeftModel.from_pretrained(loaded, model.adapter).merge_and_unload(safe_merge=True)
    return loaded.requires_grad_(False).eval()


class Weights:
    """Tensors by their names in Hugging Face's form. A context: files stay open within it."""

    def __init__(self, model: ResolvedModel) -> None:
        self._model = model
        self._open = ExitStack()

    def __enter__(self) -> Weights:
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.close()

    @cached_property
    def _places(self) -> Mapping[str, Any]:
        """By name the file that a tensor is in; of a merged model the tensor itself."""
        if self._model.adapter:
            return dict(merged(self._model).state_dict())
        require_own_files(Path(self._model.path))
        places = {}
        for file in sorted(Path(self._model.path).glob("model*.safetensors")):
            opened: Any = self._open.enter_context(safe_open(file, framework="pt"))
            places.update(dict.fromkeys(opened.keys(), opened))
        return places

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {
            name: tuple(place.shape if self._model.adapter else place.get_slice(name).get_shape())
            for name, place in self._places.items()
        }

    def __getitem__(self, name: str) -> torch.Tensor:
        place = self._places[name]
        tensor: torch.Tensor = place if self._model.adapter else place.get_tensor(name)
        return tensor
