"""Tokens a second of both sides of a chat together, beside one side alone.

On a base with a LoRA adapter (one batch) and on two bases (in turn), interleaved, with one thread.
Together both sides should be faster than one after the other, which would be 1.0 of one side alone.
"""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import peft
import torch
import transformers

from jobs.generation.models import Base, Models, Opened
from jobs.generation.sides import Side, answer
from jobs.generation.stopping import Stops
from studio_core.base.settings import bundled_folder
from studio_core.generation.sampling import Sampling
from studio_core.runs.spec import ResolvedModel
from tests.bench.sizes import size

REPEATS = size("REPEATS", 5, 1)
SAMPLING = Sampling(temperature=0.7, top_p=0.9, seed=1, max_tokens=64)
QUESTION = [{"role": "user", "content": "Tell me about the river."}]


class Endless(Models):
    """Models that never stop by themselves, so that every answer has the same length."""

    def open(self, model: ResolvedModel, needed: Iterable[Base] = ()) -> Opened:
        return dataclasses.replace(super().open(model, needed), stops=Stops(frozenset()))


def adapter_on(base: str, folder: Path) -> str:
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(base)
    config = peft.LoraConfig(r=16, target_modules="all-linear", task_type="CAUSAL_LM")
    peft.get_peft_model(model, config).save_pretrained(folder)
    return str(folder)


def speed(models: Models, *asked: ResolvedModel) -> float:
    """Tokens a second of all sides together."""
    start = time.perf_counter()
    ends = [e for e in answer(models, [Side(one, QUESTION) for one in asked], SAMPLING) if e.get("done")]
    return sum(end["tokens"] for end in ends) / (time.perf_counter() - start)


def main() -> None:
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    warnings.simplefilter("ignore")
    models = Endless()
    folder = bundled_folder() / "models"
    base = ResolvedModel(name="tiny-base", path=str(folder / "tiny-base"))
    other = ResolvedModel(name="tiny-chat", path=str(folder / "tiny-chat"))
    with tempfile.TemporaryDirectory() as place:
        tuned = base.model_copy(update={"name": "lora", "adapter": adapter_on(base.path, Path(place))})
        ways = {
            "the base alone": (base,),
            "the adapter alone": (tuned,),
            "base and adapter, one batch": (base, tuned),
            "two bases in turn": (base, other),
        }
        found: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(REPEATS + 1):  # The first round loads and warms up.
            for name, asked in ways.items():
                found[name].append(speed(models, *asked))
    one = statistics.median(found["the base alone"][1:])
    for name, speeds in found.items():
        middle = statistics.median(speeds[1:])
        print(f"{name:30} {middle:7.0f} tokens/s   {middle / one:.2f} of the base alone")


if __name__ == "__main__":
    main()
