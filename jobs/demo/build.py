"""Writes the demo models and the sample data from nothing: `python -m jobs.demo.build`.

Tokenizer, tiny-base, tiny-chat, samples, cards; seeded throughout, no downloads, one CPU is enough.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # Before torch: a waiting thread must not burn a shared core.

import torch
from transformers import PreTrainedTokenizerFast

from jobs.demo.abilities import load
from jobs.demo.card import write_card
from jobs.demo.dialogues import chat, long_chat
from jobs.demo.documents import document
from jobs.demo.network import Shape, Weights, export, init_weights
from jobs.demo.pretrain import Plan, Row, batches, train
from jobs.demo.samples import write_samples
from jobs.demo.tokenizer import END, PAD, VOCABULARY, Encoder, train_tokenizer
from jobs.demo.world import build_world

WORLD = build_world()
SEED = 7
BASE = Plan(steps=1800, matrix_rate=0.04, vector_rate=0.008, seed=SEED)
CHAT = Plan(steps=2600, matrix_rate=0.03, vector_rate=0.006, seed=SEED + 1)
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


def chat_rows(encoder: Encoder, rng: random.Random, chunk: int) -> tuple[list[Row], list[Row]]:
    documents = encoder.documents([document(WORLD, rng) for _ in range(chunk // 12)])
    short = encoder.chats([chat(WORLD, rng) for _ in range(chunk)]) + documents
    long = encoder.chats([long_chat(WORLD, rng, rng.randint(3, 12)) for _ in range(chunk // 16)])
    return short, long


def run_stage(weights: Weights, shape: Shape, encoder: Encoder, plan: Plan, *, chats: bool) -> float:
    write = chat_rows if chats else base_rows
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
    tokenizer.save_pretrained(folder)


def build(out: Path, scale: float) -> None:
    began = time.perf_counter()
    tokenizer = make_tokenizer()
    encoder, shape = Encoder(tokenizer), Shape(VOCABULARY)
    weights = init_weights(shape, SEED)
    parameters = sum(weight.numel() for weight in weights.values())
    facts: dict[str, Any] = {
        "parameters": parameters,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    for name, plan, chats in (("tiny-base", BASE, False), ("tiny-chat", CHAT, True)):
        plan = replace(plan, steps=max(20, round(plan.steps * scale)))
        say(f"{name}: {plan.steps} steps of {plan.tokens} tokens")
        started = time.perf_counter()
        loss = run_stage(weights, shape, encoder, plan, chats=chats)
        save(weights, shape, tokenizer, out / "models" / name)
        minutes = round((time.perf_counter() - started) / 60, 1)
        facts[name] = {
            "steps": plan.steps,
            "tokens": plan.steps * plan.tokens,
            "loss": round(loss, 3),
            "minutes": minutes,
        }
    chat_folder = out / "models" / "tiny-chat"
    write_samples(out / "samples", WORLD, *load(str(chat_folder)))
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
