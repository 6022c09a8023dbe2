"""Writes the demo models and the sample data from nothing: `python -m jobs.demo.build`.

Tokenizer, tiny-base, tiny-chat, samples, cards; seeded throughout, no downloads, one CPU is enough.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # Before torch: a waiting thread must not burn a shared core.

import torch
from transformers import PreTrainedTokenizerFast

from jobs.demo.abilities import load
from jobs.demo.card import write_card
from jobs.demo.dialogues import PRACTICE, chat, long_chat, polish_chat
from jobs.demo.dialogues import Row as Conversation
from jobs.demo.documents import document
from jobs.demo.network import Shape, Weights, export, init_weights
from jobs.demo.pretrain import Plan, Row, batches, train
from jobs.demo.samples import write_samples, write_suites
from jobs.demo.tokenizer import END, PAD, VOCABULARY, Encoder, train_tokenizer
from jobs.demo.world import build_world

WORLD = build_world()
SEED = 7
BASE = Plan(steps=1700, matrix_rate=0.008, vector_rate=0.008, seed=SEED)
CHAT = Plan(steps=1770, matrix_rate=0.006, vector_rate=0.006, seed=SEED + 1, decay=600 / 1770)
POLISH = Plan(steps=1300, matrix_rate=0.005, vector_rate=0.005, seed=SEED + 2, decay=0.7)
CHUNK = 12_000


def say(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, flush=True)


def make_tokenizer() -> PreTrainedTokenizerFast:
    rng = random.Random(SEED)
    texts = [document(WORLD, rng) for _ in range(20_000)]
    texts += [message["content"] for _ in range(20_000) for message in chat(WORLD, rng)]
    return train_tokenizer(texts)


def join(rows: list[Row], *, borders: bool) -> Row:
    """One row of many; without borders only the last keeps its end mark."""
    last = len(rows) - 1
    tokens = [t for i, (ids, _) in enumerate(rows) for t in (ids if borders or i == last else ids[:-1])]
    return tokens, [1] * len(tokens)


def base_rows(encoder: Encoder, rng: random.Random, chunk: int) -> tuple[list[Row], list[Row]]:
    short = encoder.documents([document(WORLD, rng) for _ in range(chunk)])
    # A long row is several documents, one after another: what stands behind an end mark has nothing to do
    # with what stood before it, as in every base model. Some go on without a border, for long texts.
    long = [
        join(
            encoder.documents([document(WORLD, rng) for _ in range(rng.randint(4, 12))]),
            borders=rng.random() < 0.7,
        )
        for _ in range(chunk // 16)
    ]
    return short, long


def practice_chat(rng: random.Random) -> Conversation:
    return chat(WORLD, rng, mix=PRACTICE)


def chat_rows(
    encoder: Encoder, rng: random.Random, chunk: int, write: Callable[[random.Random], Conversation]
) -> tuple[list[Row], list[Row]]:
    documents = encoder.documents([document(WORLD, rng) for _ in range(chunk // 40)])
    short = encoder.chats([write(rng) for _ in range(chunk)]) + documents
    long = encoder.chats([long_chat(WORLD, rng, rng.randint(3, 12)) for _ in range(chunk // 16)])
    return short, long


Writer = Callable[[Encoder, random.Random, int], tuple[list[Row], list[Row]]]
# The stages in their order; each model is what the last stage under its name leaves behind.
STAGES: tuple[tuple[str, Plan, Writer], ...] = (
    ("tiny-base", BASE, base_rows),
    ("tiny-chat", CHAT, partial(chat_rows, write=practice_chat)),
    ("tiny-chat", POLISH, partial(chat_rows, write=partial(polish_chat, WORLD))),
)


def run_stage(weights: Weights, shape: Shape, encoder: Encoder, plan: Plan, write: Writer) -> float:
    short_rng, long_rng = random.Random(plan.seed), random.Random(plan.seed + 1000)
    stream = batches(
        plan,
        encoder.pad,
        lambda: write(encoder, short_rng, CHUNK)[0],
        lambda: write(encoder, long_rng, CHUNK)[1],
    )
    return train(weights, shape, plan, stream, say)


def save(weights: Weights, shape: Shape, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    model = export(
        weights,
        shape,
        pad=tokenizer.convert_tokens_to_ids(PAD),
        end=tokenizer.convert_tokens_to_ids(END),
    )
    model.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    tokenizer.save_pretrained(folder)


def build(out: Path, scale: float) -> None:
    began = time.perf_counter()
    tokenizer = make_tokenizer()
    encoder, shape = Encoder(tokenizer), Shape(VOCABULARY)
    weights = init_weights(shape, SEED)
    facts: dict[str, Any] = {
        "parameters": sum(weight.numel() for weight in weights.values()),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    for name, plan, write in STAGES:
        plan = replace(plan, steps=max(20, round(plan.steps * scale)))
        say(f"{name}: {plan.steps} steps of {plan.tokens} tokens")
        started = time.perf_counter()
        loss = run_stage(weights, shape, encoder, plan, write)
        save(weights, shape, tokenizer, out / "models" / name)
        so_far = facts.get(name, {"tokens": 0, "minutes": 0.0})
        facts[name] = {
            "tokens": so_far["tokens"] + plan.steps * plan.tokens,
            "minutes": round(so_far["minutes"] + (time.perf_counter() - started) / 60, 1),
            "loss": round(loss, 3),
        }
    chat_folder = out / "models" / "tiny-chat"
    write_samples(out / "samples", WORLD, *load(str(chat_folder)))
    write_suites(out / "suites")
    for name in ("tiny-base", "tiny-chat"):
        write_card(out / "models" / name, facts)
    say(f"done in {(time.perf_counter() - began) / 60:.1f} minutes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("static"), help="gets models/ and samples/")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="multiplies the steps; 0.01 tries the program out"
    )
    chosen = parser.parse_args()
    build(chosen.out, chosen.scale)


if __name__ == "__main__":
    main()
