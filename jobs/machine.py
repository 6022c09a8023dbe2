"""What this process has used of the machine, and in which numbers its CPU computes faster."""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from pathlib import Path
from typing import Any

from studio_core.base.atomic import read_json, write_json

# A product of this size takes a millisecond or so: long enough to be
# timed, and its factors fit into the caches of a CPU.
_SIZE = 512
# The best of a few: a single one may fall into a moment when others compute.
_TRIES = 5


def peak_memory() -> int:
    """Most bytes that this process held: on the GPU if it used one, else in main memory."""
    torch: Any = sys.modules.get("torch")  # Not imported: most work on data goes without it.
    if torch is not None and torch.cuda.is_available() and torch.cuda.max_memory_reserved():
        return int(torch.cuda.max_memory_reserved())
    # macOS counts in bytes, Linux in kilobytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def cpu_gains_from_bf16() -> bool:
    """Whether this CPU multiplies in bf16 at least as fast as in fp32, with the threads that it has now.

    Flags of the CPU do not say it: some have the instructions and are slower. So it is measured once, in some
    hundredths of a second, and remembered in the data folder if this process knows it.
    """
    import torch

    home = os.environ.get("TUNESMITH_STUDIO")
    file = Path(home) / "machine.json" if home else None
    # All that the answer depends on, so that another CPU, thread count or torch is measured anew.
    name = f"{_cpu()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    known = (read_json(file) if file else None) or {}
    measured = known.get("bf16", {})
    if name not in measured:
        measured = {**measured, name: _seconds(torch.bfloat16) <= _seconds(torch.float32)}
        if file:
            write_json(file, {**known, "bf16": measured})
    return bool(measured[name])


def _seconds(dtype: Any) -> float:
    """The fastest of a few products, so that a neighbour on the same cores decides nothing."""
    import torch

    left = torch.ones(_SIZE, _SIZE, dtype=dtype)
    taken = []
    for _ in range(_TRIES):
        began = time.perf_counter()
        left @ left
        taken.append(time.perf_counter() - began)
    return min(taken)


def _cpu() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.exists() else []
    named = next((line for line in lines if line.startswith("model name")), "")
    return named.partition(":")[2].strip() or platform.processor() or platform.machine()
