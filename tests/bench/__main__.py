"""Runs every benchmark in a process of its own and prints one table after another. ``make bench [NAME ...]``

Machines are shared and noisy: each benchmark measures its rival in the same run, interleaved,
and prints ratios. Nothing here passes or fails.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def main(wanted: list[str]) -> int:
    names = sorted(file.stem.removeprefix("bench_") for file in FOLDER.glob("bench_*.py"))
    print(
        f"# {platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    codes = []
    for name in wanted or names:
        print(f"\n## {name}", flush=True)
        codes.append(subprocess.call([sys.executable, "-m", f"tests.bench.bench_{name}"]))
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
