"""Greedy answers of the model that learns: to a run's fixed prompts, to show what changes, and to a suite."""

from __future__ import annotations

import time
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from jobs.generation.decoding import advance
from jobs.generation.lane import Row
from jobs.generation.models import Base, Opened
from jobs.generation.stopping import Stops
from studio_core.data.chat_format import ChatFormat
from studio_core.generation.sampling import greedy
from studio_core.suites import Suite

_MOST_PROMPTS = 8
"""They are answered in one batch; more would hardly be looked at beside each other."""


def answers(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    prompts: list[str],
    *,
    chat: ChatFormat | None,
    most_tokens: int = 64,
    seconds: float = 20.0,
    timed: bool = True,
) -> list[str]:
    """The likeliest continuation of each prompt; after ``seconds``, what there is of it.

    Not ``timed``: several ranks answer together, each with its shard, so none may end before the others.

    ``chat``: the prompt is a user's message, written by its template; else it is a text that goes on.
    """
    prompts = prompts[:_MOST_PROMPTS]
    if not prompts:
        return []
    deadline = time.monotonic() + seconds
    was_training = model.training
    model.eval()
    opened = _opened(model, tokenizer, chat)
    sampling = greedy(most_tokens)
    rows = [
        Row(place, opened, _tokens(tokenizer, prompt, chat), sampling) for place, prompt in enumerate(prompts)
    ]
    texts = [""] * len(rows)
    for row, piece in advance(rows, lambda: timed and time.monotonic() > deadline):
        texts[row.side] += piece
    model.train(was_training)
    return [text.strip() for text in texts]


_QUESTIONS = 100
"""Of a suite, the first ones: a look at all would take longer than what is learnt between two looks. The standard error
of a share of 100 is at most 5 points."""
_BATCH = 32


def suite_score(model: Any, tokenizer: PreTrainedTokenizerBase, suite: Suite, chat: ChatFormat) -> float:
    """The share, from 0 to 1, of the first questions of a suite that the model as it is now answers right."""
    was_training = model.training
    model.eval()
    opened = _opened(model, tokenizer, chat)
    items = suite.items[:_QUESTIONS]
    sampling = greedy(suite.max_tokens)
    texts = [""] * len(items)
    for start in range(0, len(items), _BATCH):
        rows = [
            Row(start + place, opened, chat.prompt([*item.messages]), sampling)
            for place, item in enumerate(items[start : start + _BATCH])
        ]
        for row, piece in advance(rows, lambda: False):
            texts[row.side] += piece
    model.train(was_training)
    right = [suite.right(item, text.strip()) for item, text in zip(items, texts, strict=True)]
    return sum(right) / len(right)


def _opened(model: Any, tokenizer: PreTrainedTokenizerBase, chat: ChatFormat | None) -> Opened:
    base = Base(("training",), model, model.device, without_gradients=torch.no_grad)
    return Opened("", base, None, True, tokenizer, chat, Stops.of(model, tokenizer))


def _tokens(tokenizer: PreTrainedTokenizerBase, prompt: str, chat: ChatFormat | None) -> list[int]:
    """The tokens up to where the answer begins; never none, since a model goes on from something."""
    message = [{"role": "user", "content": prompt}]
    tokens = chat.prompt(message) if chat is not None else tokenizer(prompt)["input_ids"]
    return tokens or [tokenizer.eos_token_id]
