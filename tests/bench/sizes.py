"""How large a benchmark is: in full for figures, or short, so that `make test` sees that all of them still run."""

from __future__ import annotations

import os

SHORT = "BENCH_SHORT"
"""The variable that makes every benchmark short."""


def size(name: str, full: int, short: int) -> int:
    """A number of rows, rounds or seconds; ``BENCH_<NAME>`` sets another one."""
    return int(os.environ.get(f"BENCH_{name}", short if os.environ.get(SHORT) else full))
