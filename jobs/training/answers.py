"""Short greedy answers to a run's fixed prompts, all in one batch, to show what training changes."""

from __future__ import annotations

import time
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

_MOST_PROMPTS = 8


@torch.no_grad()
def answers(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    prompts: list[str],
    *,
    as_chat: bool,
    most_tokens: int = 64,
    seconds: float = 20.0,
    timed: bool = True,
) -> list[str]:
    """The likeliest continuation of each prompt; after ``seconds``, what there is of it.

    Not ``timed``: several ranks answer together, each with its shard, so none may end before the others.

    ``as_chat``: the prompt is a user's message, written by the chat template.
    """
    prompts = prompts[:_MOST_PROMPTS]
    if not prompts:
        return []
    deadline = time.monotonic() + seconds
    was_training = model.training
    model.eval()
    ids, mask = _left_padded(tokenizer, prompts, as_chat, model.device)
    ends = torch.tensor(sorted(_ends(model, tokenizer)), device=model.device)
    chosen: list[torch.Tensor] = []
    cache, ended = None, torch.zeros(len(prompts), dtype=torch.bool, device=model.device)
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
        ids = torch.where(ended[:, None], ends[0], ids)
        chosen.append(ids)
        ended |= torch.isin(ids[:, 0], ends)
        if bool(ended.all()) or (timed and time.monotonic() > deadline):
            break
        mask = torch.cat([mask, mask.new_ones(len(prompts), 1)], dim=1)
    model.train(was_training)
    texts = tokenizer.batch_decode(torch.cat(chosen, dim=1), skip_special_tokens=True)
    return [text.strip() for text in texts]


def _left_padded(
    tokenizer: PreTrainedTokenizerBase, prompts: list[str], as_chat: bool, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, ``(prompts, longest)``; prompts end at the right edge."""
    if as_chat:
        chats = [[{"role": "user", "content": prompt}] for prompt in prompts]
        texts = tokenizer.apply_chat_template(chats, tokenize=False, add_generation_prompt=True)
        rows = tokenizer(texts, add_special_tokens=False)["input_ids"]
    else:
        rows = tokenizer(prompts)["input_ids"]
    rows = [row or [tokenizer.eos_token_id] for row in rows]
    longest = max(map(len, rows))
    ids = [[tokenizer.pad_token_id] * (longest - len(row)) + row for row in rows]
    mask = [[0] * (longest - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def _ends(model: Any, tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Tokens that end an answer: the tokenizer's, and those of the model's generation settings."""
    configured = model.generation_config.eos_token_id
    several = configured if isinstance(configured, list) else [configured]
    return {token for token in [tokenizer.eos_token_id, *several] if token is not None}
