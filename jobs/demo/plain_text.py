"""The loss on plain text that tiny-base was made of: what a fine-tuning forgets of it is what the loss rises by."""

from __future__ import annotations

import random

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from jobs.demo.documents import document
from jobs.demo.world import build_world

DOCUMENTS = 60
"""Some 1,650 tokens. One model is judged against another on the same ones, so their own spread cancels."""
_SEED = "plain text to measure on"
"""No training text is drawn by this seed; a short statement of a fact may of course be one that was trained on."""


def documents(count: int = DOCUMENTS) -> list[str]:
    """Texts of the kind that the base model was trained on, drawn anew."""
    rng, world = random.Random(_SEED), build_world()
    return [document(world, rng) for _ in range(count)]


@torch.no_grad()
def plain_loss(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> float:
    """Mean negative log-probability of a token of the documents, in nats."""
    total, tokens = 0.0, 0
    for text in documents():
        ids = torch.tensor([tokenizer(text + tokenizer.eos_token)["input_ids"]], device=model.device)
        count = ids.shape[1] - 1
        total += float(model(ids, labels=ids).loss) * count
        tokens += count
    return total / tokens
