"""Miniature models whose template ends turns otherwise than their tokenizer ends texts, as base models of the field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import transformers
from tokenizers import AddedToken

from tests.unit.jobs.generation.small_models import byte_tokenizer, save_llama

CHATML = (  # As Qwen2.5 writes it.
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nBe kind.<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA3 = (
    "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
    "{{ message['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
PHI3 = (  # It closes a conversation with the tokenizer's own end, after the end of the turn.
    "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% else %}{{ eos_token }}{% endif %}"
)
HARMONY = (  # gpt-oss: an answer that is the last one ends otherwise than one that is followed by a question.
    "{% for message in messages %}<|start|>{{ message['role'] }}<|message|>{{ message['content'] }}"
    "{% if loop.last and message['role'] == 'assistant' %}<|return|>{% else %}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant<|message|>{% endif %}"
)
GLM4 = (  # Nothing but the next turn ends an answer.
    "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
SPELLED = (
    "{% for message in messages %}### {{ message['role'] }}:\n{{ message['content'] }}\n### End\n\n{% endfor %}"
    "{% if add_generation_prompt %}### assistant:\n{% endif %}"
)
BARE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)

SPECIAL = {
    CHATML: ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    LLAMA3: (
        "<|end_of_text|>",
        "<|begin_of_text|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eot_id|>",
    ),
    PHI3: ("<|endoftext|>",),
    HARMONY: ("<|endoftext|>", "<|start|>", "<|message|>", "<|return|>"),
    GLM4: ("<|endoftext|>",),
    SPELLED: ("<|endoftext|>",),
    BARE: ("<|endoftext|>",),
}
"""Of each template the tokens that it writes, besides the miniature's own; the tokenizer's end comes first."""


def tokenizer_for(template: str) -> Any:
    tokenizer = byte_tokenizer(template)
    tokenizer.add_tokens([AddedToken(name, special=True) for name in SPECIAL[template]])
    tokenizer.eos_token = tokenizer.pad_token = SPECIAL[template][0]
    if template == LLAMA3:
        tokenizer.bos_token = "<|begin_of_text|>"
    return tokenizer


def save_model(folder: Path, template: str) -> Path:
    """A miniature with this template, whose configuration names the tokenizer's end only."""
    save_llama(folder)
    tokenizer = tokenizer_for(template)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    model.resize_token_embeddings(len(tokenizer))
    model.config.eos_token_id = model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.config.pad_token_id = model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def settings_of(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "generation_config.json").read_text())
    return document
