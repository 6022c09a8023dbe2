"""Runs every benchmark in a process of its own and prints one table after another. ``make bench [NAME ...]``

Machines are shared and noisy: each benchmark measures its rival in the same run, interleaved,
and prints ratios. No figure passes or fails; a benchmark that does not run does. ``--short`` only sees that all run.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

from tests.bench.sizes import SHORT

FOLDER = Path(__file__).parent


def main(wanted: list[str]) -> int:
    names = sorted(file.stem.removeprefix("bench_") for file in FOLDER.glob("bench_*.py"))
    print(
        f"# {platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    if short := "--short" in wanted:
        wanted = [name for name in wanted if name != "--short"]
    environment = {**os.environ, **({SHORT: "1"} if short else {})}
    broken = []
    for name in wanted or names:
        print(f"\n## {name}", flush=True)
        if subprocess.call([sys.executable, "-m", f"tests.bench.bench_{name}"], env=environment):
            broken.append(name)
    if broken:
        print(f"\nDid not run to the end: {', '.join(broken)}")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
