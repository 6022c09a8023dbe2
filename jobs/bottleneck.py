"""Bottleneck adapters (Houlsby et al. 2019, arXiv:1902.00751) as a type of adapter for PEFT, which has none.

    h + up(gelu(down(h)))

Down is width x hidden, up is hidden x width, both with a bias. ``h`` is what a frozen linear layer gives: the last one
of a layer's attention or of its feed-forward block. Up begins as zero, so that training starts from the model as it is.

Once this module is imported, PEFT saves, loads, switches off and continues such adapters as it does its own. No other
program can load them, and there is nothing to merge: GELU stands between the two matrices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from peft import PeftConfig
from peft.mapping import (
    PEFT_TYPE_TO_CONFIG_MAPPING,
    PEFT_TYPE_TO_PREFIX_MAPPING,
    PEFT_TYPE_TO_TUNER_MAPPING,
)
from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer
from torch import nn
from torch.nn import functional

BOTTLENECK = "BOTTLENECK"
"""What ``adapter_config.json`` names as ``peft_type``."""


@dataclass
class BottleneckConfig(PeftConfig):  # type: ignore[misc]
    width: int = 64
    target_modules: list[str] | None = None
    """The linear layers after which an adapter stands, by the ends of their names."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = BOTTLENECK


class BottleneckLayer(nn.Module, BaseTunerLayer):  # type: ignore[misc]
    """A frozen linear layer with the adapters that stand after it, by name."""

    adapter_layer_names = ("bottleneck_down", "bottleneck_up")

    def __init__(self, base_layer: nn.Module) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.bottleneck_down, self.bottleneck_up = nn.ModuleDict(), nn.ModuleDict()
        self.merged_adapters: list[str] = []

    def add(self, adapter: str, config: BottleneckConfig) -> None:
        hidden = self.get_base_layer().out_features
        down, up = nn.Linear(hidden, config.width), nn.Linear(config.width, hidden)
        nn.init.zeros_(up.weight)
        nn.init.zeros_(up.bias)
        self.bottleneck_down[adapter], self.bottleneck_up[adapter] = down, up
        self._move_adapter_to_device_of_base_layer(adapter)
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def forward(self, inputs: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        hidden: torch.Tensor = self.base_layer(inputs, *args, **kwargs)
        if self.disable_adapters:
            return hidden
        for adapter in self.active_adapters:
            if adapter in self.bottleneck_down:
                down, up = self.bottleneck_down[adapter], self.bottleneck_up[adapter]
                change = up(functional.gelu(down(hidden.to(down.weight.dtype))))
                hidden = hidden + change.to(hidden.dtype)
        return hidden


class BottleneckModel(BaseTuner):  # type: ignore[misc]
    """A model whose layers of those names have adapters after them."""

    prefix = "bottleneck_"
    tuner_layer_cls = BottleneckLayer
    target_module_mapping: ClassVar[dict[str, list[str]]] = {}

    def _create_and_replace(
        self,
        config: BottleneckConfig,
        adapter: str,
        target: nn.Module,
        name: str,
        parent: nn.Module,
        current_key: str,
    ) -> None:
        layer = target if isinstance(target, BottleneckLayer) else BottleneckLayer(target)
        if layer is not target:
            layer.set_adapter(self.active_adapters)
            self._replace_module(parent, name, layer, target)
        layer.add(adapter, config)


PEFT_TYPE_TO_CONFIG_MAPPING[BOTTLENECK] = BottleneckConfig  # type: ignore[index]
PEFT_TYPE_TO_TUNER_MAPPING[BOTTLENECK] = BottleneckModel  # type: ignore[index]
PEFT_TYPE_TO_PREFIX_MAPPING[BOTTLENECK] = BottleneckModel.prefix  # type: ignore[index]
