"""Tokens a second of the decoding loop and of llama.cpp beneath it, on the same questions; one thread, interleaved.

Rows of one model, and the two sides of a chat: on two bases, and on a base with a LoRA adapter. The sides are measured
with two threads too, where they are computed beside each other; promised is 1.3 times the time of one.
"""

from __future__ import annotations

import statistics
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
import transformers

from jobs.generation.decoding import advance
from jobs.generation.lane import Row
from jobs.generation.models import Models, Opened
from jobs.generation.stopping import Stops
from jobs.generation.twins import Twins
from studio_core.base.settings import bundled_folder
from studio_core.generation.sampling import Sampling, greedy
from studio_core.runs.spec import ResolvedModel
from tests.bench.bench_chat import QUESTION, adapter_on
from tests.bench.sizes import size

REPEATS = size("REPEATS", 5, 1)
TOKENS = size("TOKENS", 64, 8)
ROWS = (1, 2, 4, 8, 32)
DRAWN = Sampling(max_tokens=TOKENS)
"""As a chat draws, unless somebody changes it."""


@contextmanager
def now() -> Iterator[bool]:
    yield True


def speed(
    rows: list[tuple[Opened, Sampling]], *, loop: bool, most: int = 64
) -> tuple[float, list[list[int]]]:
    """Tokens a second of all together, and the tokens. None ends by itself."""
    kept = {id(opened.base): (opened.base, dict(opened.base.twins)) for opened, _ in rows}
    for base, twins in kept.values():
        base.twins = {} if loop else {name: replace(twin, most=most) for name, twin in twins.items()}  # type: ignore[type-var]
    asked = [
        Row(place, replace(opened, stops=Stops(frozenset())), opened.prompt(QUESTION), sampling, place)
        for place, (opened, sampling) in enumerate(rows)
    ]
    start = time.perf_counter()
    for _ in advance(asked):
        pass
    seconds = time.perf_counter() - start
    for base, twins in kept.values():
        base.twins = twins
    return sum(len(row.tokens) for row in asked) / seconds, [row.tokens for row in asked]


def beside(name: str, rows: list[tuple[Opened, Sampling]]) -> None:
    """Prints both."""
    loops, twins, same = [], [], True
    for turn in range(REPEATS + 1):
        (loop, wanted), (twin, got) = speed(rows, loop=True), speed(rows, loop=False)
        same = same and wanted == got
        if turn:  # The first warms up.
            loops.append(loop)
            twins.append(twin)
    ratios = sorted(twin / loop for twin, loop in zip(twins, loops, strict=True))
    middle = statistics.median(ratios)
    print(
        f"{name:38} loop {statistics.median(loops):6.0f}   llama.cpp {statistics.median(twins):6.0f} tokens/s   "
        f"{middle:5.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})   {'same tokens' if same else 'OTHER TOKENS'}"
    )


def times_as_long(side: tuple[Opened, Sampling], other: tuple[Opened, Sampling]) -> str:
    """Both sides beside one, in turn: nothing else is computed in between, as in a chat."""
    ratios = []
    for turn in range(8 * REPEATS + 1):
        (one, _), (both, _) = speed([side], loop=False), speed([side, other], loop=False)
        if turn:
            ratios.append(2 * one / both)
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.2f} (quartiles {low:.2f} and {high:.2f})"


def main() -> None:
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    warnings.simplefilter("ignore")
    models, folder = Models("cpu"), bundled_folder() / "models"
    chat, base = (ResolvedModel(name=name, path=str(folder / name)) for name in ("tiny-chat", "tiny-base"))
    with tempfile.TemporaryDirectory() as place:
        lora = chat.model_copy(
            update={"name": "lora", "adapter": adapter_on(chat.path, Path(place) / "lora")}
        )
        twins = Twins(Path(place) / "kept", now, lambda: False)
        opened: dict[str, Opened] = {}
        for model in (chat, base, lora):
            opened[model.name] = one = models.open(model)
            start = time.perf_counter()
            one.base.twins[one.adapter] = twins.made(one, model)
            print(f"{model.name}: written and compared in {time.perf_counter() - start:.2f} s")
        for rows in ROWS:
            beside(f"{rows} of tiny-chat, drawn", [(opened["tiny-chat"], DRAWN)] * rows)
        for threads in (1, 2):
            torch.set_num_threads(threads)
            for named, how in (("drawn", DRAWN), ("greedy", greedy(TOKENS))):
                beside(f"one side, {named}, {threads} threads", [(opened["tiny-chat"], how)])
                for other in ("tiny-base", "lora"):
                    pair = [(opened["tiny-chat"], how), (opened[other], how)]
                    beside(f"with {other}, {named}, {threads} threads", pair)
                    print(f"{'':38} both sides take {times_as_long(*pair)} times as long as one")


if __name__ == "__main__":
    main()
