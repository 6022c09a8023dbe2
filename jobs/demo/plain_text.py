"""Plain text to learn and to measure on: of the world that the demo models know, and of another one.

The loss on documents of the kind that tiny-base was made of says what a fine-tuning has forgotten: what it rises by.
Text about another world is what continued pre-training brings in.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from jobs.demo.documents import document, portrait
from jobs.demo.world import build_world

DOCUMENTS = 60
"""Some 1,650 tokens. One model is judged against another on the same ones, so their own spread cancels."""
SUITE_SIZE = 150
"""Of the studio's suite of plain text: its mean has a standard error of a twelfth of one document's spread."""
_SHORTEST = 60
"""Characters: a single statement of a fact is shorter, and there are few of them to draw."""
_SEED = "plain text to measure on"
"""No training text is drawn by this seed; a short statement of a fact may of course be one that was trained on."""
_OTHER_WORLD = 12
"""The world after the trained one: nobody in it bears a name of that."""
_PORTRAITS = 5
"""Of each person and town of the other world, in other words and another order each: 280 in all, 35 steps an epoch."""


def documents() -> list[str]:
    """Texts of the kind that the base model was trained on, drawn anew."""
    rng, world = random.Random(_SEED), build_world()
    return [document(world, rng) for _ in range(DOCUMENTS)]


def suite_documents() -> list[str]:
    """Different ones of the same kind, without those so short that they were trained on word for word."""
    rng, world = random.Random(_SEED), build_world()
    texts: dict[str, None] = {}
    while len(texts) < SUITE_SIZE:
        text = document(world, rng)
        if len(text) >= _SHORTEST:
            texts[text] = None
    return list(texts)


def other_world() -> list[dict[str, Any]]:
    """Records of shape text: all that is to be known about another world."""
    rng, world = random.Random(_OTHER_WORLD), build_world(_OTHER_WORLD)
    subjects = [*world.people, *world.towns] * _PORTRAITS
    return [{"text": portrait(world, subject, rng)} for subject in subjects]


def other_world_anew() -> list[str]:
    """The same facts once more, in words drawn anew."""
    rng, world = random.Random(_SEED), build_world(_OTHER_WORLD)
    return [portrait(world, subject, rng) for subject in (*world.people, *world.towns)]


@torch.no_grad()
def loss_on(texts: Sequence[str], model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> float:
    """Mean negative log-probability of a token of the texts, in nats."""
    total, tokens = 0.0, 0
    for text in texts:
        ids = torch.tensor([tokenizer(text + tokenizer.eos_token)["input_ids"]], device=model.device)
        count = ids.shape[1] - 1
        total += float(model(ids, labels=ids).loss) * count
        tokens += count
    return total / tokens
