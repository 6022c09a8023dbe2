"""Short greedy answers to a run's fixed prompts, all in one batch, to show what training changes."""

from __future__ import annotations

import time
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from jobs.generation.decoding import TextPieces
from jobs.generation.stopping import Stops
from studio_core.data.chat_format import ChatFormat

_MOST_PROMPTS = 8
"""They are answered in one batch; more would hardly be looked at beside each other."""


@torch.no_grad()
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
    ids, mask = _left_padded(tokenizer, prompts, chat, model.device)
    stops = Stops.of(model, tokenizer)
    pieces = [TextPieces(tokenizer, stops) for _ in prompts]
    texts, cache = [""] * len(prompts), None
    for _ in range(most_tokens):
        output = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=(mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cache = output.past_key_values
        ids = output.logits[:, -1:].argmax(-1)
        for row, [token] in enumerate(ids.tolist()):
            if not pieces[row].ended:
                texts[row] += pieces[row].add(token)
        if all(one.ended for one in pieces) or (timed and time.monotonic() > deadline):
            break
        mask = torch.cat([mask, mask.new_ones(len(prompts), 1)], dim=1)
    model.train(was_training)
    return [(text + one.finish()).strip() for text, one in zip(texts, pieces, strict=True)]


def _left_padded(
    tokenizer: PreTrainedTokenizerBase, prompts: list[str], chat: ChatFormat | None, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, ``(prompts, longest)``; prompts end at the right edge."""
    if chat is not None:
        rows = [chat.prompt([{"role": "user", "content": prompt}]) for prompt in prompts]
    else:
        rows = tokenizer(prompts)["input_ids"]
    rows = [row or [tokenizer.eos_token_id] for row in rows]
    longest = max(map(len, rows))
    ids = [[tokenizer.pad_token_id] * (longest - len(row)) + row for row in rows]
    mask = [[0] * (longest - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)
