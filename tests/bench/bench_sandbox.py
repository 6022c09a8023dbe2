"""Programs a second in the sandbox, beside the same programs in a bare interpreter.

Promised: at least 20 a second on two cores. What the sandbox costs is a second interpreter, which sets up what the
program's own is held by; on a machine that enforces no sandbox there is nothing to measure.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from studio_core.programs.run import lacking, run
from tests.bench.sizes import size

PROGRAMS = size("PROGRAMS", 100, 4)
ROUNDS = size("ROUNDS", 3, 1)
# A usual exercise: a function, and a handful of assertions.
PROGRAM = """
def primes(n):
    return [k for k in range(2, n) if all(k % d for d in range(2, int(k ** 0.5) + 1))]

assert primes(10) == [2, 3, 5, 7]
assert len(primes(1000)) == 168
"""
_AT_ONCE = 2
"""As many as the cores of the promise."""


def main() -> int:
    if reasons := lacking():
        print(f"not measured: {reasons}")
        return 0
    ways: dict[str, Callable[[], object]] = {"bare": bare, "sandbox": lambda: run(PROGRAM)}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            rates[name].append(rate(way))
    print(f"{'':10} programs a second, {_AT_ONCE} at once (processor time of one, ms)")
    for name, way in ways.items():
        print(f"{name:10} {median(rates[name]):18.0f} {processor(way) * 1000:30.0f}")
    print(f"ratio {median(rates['bare']) / median(rates['sandbox']):.1f}")
    return 0


def bare() -> object:
    return subprocess.run([sys.executable, "-I", "-S", "-c", PROGRAM], capture_output=True, check=True)


def rate(way: Callable[[], object]) -> float:
    begun = time.perf_counter()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda _: way(), range(PROGRAMS)))
    return PROGRAMS / (time.perf_counter() - begun)


def processor(way: Callable[[], object]) -> float:
    """Seconds of the processor for one, which others on the machine do not change."""
    before = os.times()
    for _ in range(PROGRAMS):
        way()
    after = os.times()
    return sum(after[:4]) / PROGRAMS - sum(before[:4]) / PROGRAMS


if __name__ == "__main__":
    sys.exit(main())
