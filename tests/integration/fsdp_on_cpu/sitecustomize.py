"""On ``PYTHONPATH`` it makes Accelerate take the ranks of a run for GPUs, although they compute on the CPU.

Accelerate offers FSDP for accelerators only, while torch's own works on a CPU with gloo too: so
all of it can be tried without a GPU but the kernels and NCCL.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class Disguise(importlib.abc.MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "accelerate.state":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.loader is not None
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            module.PartialState._prepare_backend = lambda *_, **__: _as_gpus(module)  # type: ignore[attr-defined]

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _as_gpus(state: ModuleType) -> tuple[str, Any]:
    from torch import distributed

    if not distributed.is_initialized():
        distributed.init_process_group("gloo")
    return "gloo", state.DistributedType.MULTI_GPU  # type: ignore[attr-defined]


if os.environ.get("TUNESMITH_TEAM"):
    os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"
    sys.meta_path.insert(0, Disguise())
