"""Runs every benchmark in a process of its own and prints one table after another. ``make bench [NAME ...]``

Machines are shared and noisy: each benchmark measures its rival in the same run, interleaved,
and prints ratios. No figure passes or fails; a benchmark that does not run does. ``--short`` only sees that all run,
and so lets them run beside each other.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.bench.sizes import SHORT

FOLDER = Path(__file__).parent


def main(wanted: list[str]) -> int:
    names = sorted(file.stem.removeprefix("bench_") for file in FOLDER.glob("bench_*.py"))
    print(
        f"# {platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    if short := "--short" in wanted:
        os.environ[SHORT] = "1"
    names = [name for name in wanted if name != "--short"] or names
    done = beside_each_other(names) if short else one_by_one(names)
    broken = [name for name, code in zip(names, done, strict=True) if code]
    if broken:
        print(f"\nDid not run to the end: {', '.join(broken)}")
    return bool(broken)


def one_by_one(names: list[str]) -> list[int]:
    """The exit codes."""
    codes = []
    for name in names:
        print(f"\n## {name}", flush=True)
        codes.append(subprocess.call(command(name)))
    return codes


def beside_each_other(names: list[str]) -> list[int]:
    """The same; one for each core, and one more, since they also wait."""
    codes = []
    with ThreadPoolExecutor((os.cpu_count() or 1) + 1) as pool:
        for name, ended in zip(names, pool.map(quietly, names), strict=True):
            print(f"\n## {name}\n{ended.stdout}", flush=True)
            codes.append(ended.returncode)
    return codes


def quietly(name: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(name), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


def command(name: str) -> list[str]:
    return [sys.executable, "-m", f"tests.bench.bench_{name}"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
