"""A model of 100 million parameters written in each format, beside a bare copy of its file. Promised: twice the time.

Both end with a sync. The comparison of answers is left out: it takes what the answers take.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from jobs.export import gguf_file, merged
from jobs.export.weights import Weights
from studio_core.base.settings import bundled_folder
from studio_core.exports.base import Subject
from studio_core.runs.spec import ResolvedModel
from tests.bench.sizes import size

LAYERS = size("LAYERS", 12, 1)
REPEATS = size("REPEATS", 5, 1)
TYPES = ("F32", "F16", "BF16", "Q8_0", "Q4_0")


def model(folder: Path) -> ResolvedModel:
    """Random weights, stored in bf16, with the demo models' tokenizer."""
    config = LlamaConfig(
        vocab_size=16_384,
        hidden_size=768,
        intermediate_size=2_048,
        num_hidden_layers=LAYERS,
        num_attention_heads=12,
    )
    made = LlamaForCausalLM(config).to(torch.bfloat16)
    made.save_pretrained(folder)
    AutoTokenizer.from_pretrained(bundled_folder() / "models" / "tiny-chat").save_pretrained(folder)
    return ResolvedModel(name="bench", path=str(folder.resolve()), parameters=made.num_parameters())


def seconds(work: Callable[[Path], object], folder: Path) -> float:
    """Of writing into an empty folder, to the disk."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    began = time.perf_counter()
    work(folder)
    for file in folder.iterdir():
        with open(file, "rb") as written:
            os.fsync(written.fileno())
    return time.perf_counter() - began


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        there = Path(scratch)
        bench = model(there / "model")
        subject, tokenizer = Subject.of(bench), AutoTokenizer.from_pretrained(bench.path)

        def as_gguf(type: str) -> Callable[[Path], object]:
            def work(folder: Path) -> object:
                with Weights(bench) as weights:
                    return gguf_file.write(folder / "model.gguf", subject, tokenizer, weights, type)

            return work

        ways: dict[str, Callable[[Path], object]] = {
            "copy": lambda folder: shutil.copyfile(
                Path(bench.path) / "model.safetensors", folder / "model.safetensors"
            ),
            "merged": lambda folder: merged.copy(Path(bench.path), folder),
            **{f"gguf {type}": as_gguf(type) for type in TYPES},
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        sizes = {}
        for _ in range(REPEATS):
            for name, work in ways.items():
                taken[name].append(seconds(work, there / "out"))
                sizes[name] = sum(file.stat().st_size for file in (there / "out").iterdir())
        copied = statistics.median(taken["copy"])
        print(f"{bench.parameters / 1e6:.0f} million parameters, medians of {REPEATS}\n")
        print("| written | MB | seconds (least to most) | beside the copy |\n|---|---|---|---|")
        for name, each in taken.items():
            middle = statistics.median(each)
            spread = f"{middle:.2f} ({min(each):.2f} to {max(each):.2f})"
            print(f"| {name} | {sizes[name] / 1e6:.0f} | {spread} | {middle / copied:.1f} |")


if __name__ == "__main__":
    main()
