"""Two-layer Llamas with random weights and a byte-level tokenizer, and adapters on them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import peft
import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def byte_tokenizer(chat_template: str | None = TEMPLATE) -> Any:
    """One token for each byte, so that most letters outside ASCII take several."""
    vocabulary = {letter: index for index, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    names = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in names])
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|end|>", pad_token="<|pad|>"
    )
    fast.chat_template = chat_template
    return fast


STRANGE = (
    "{% for message in messages %}[{{ message['role'] }}] "
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] }}<over>{% endgeneration %}"
    "{% else %}{{ message['content'] }}<over>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)
"""As a model of another family has it, with turns that end in another token."""


def strange_tokenizer() -> Any:
    """Letters by other numbers than ``byte_tokenizer``, some words in one token, and turns that end in another."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=290, special_tokens=["<over>"], initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(["say aaaa bbbbbbbb good bad user assistant \u00e9t\u00e9"] * 9, trainer)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<over>", pad_token="<over>"
    )
    fast.chat_template = STRANGE
    return fast


def save_stranger(folder: Path, seed: int = 2) -> Path:
    return _save(folder, strange_tokenizer(), seed, 256)


def save_llama(folder: Path, seed: int = 0, chat_template: str | None = TEMPLATE, context: int = 256) -> Path:
    return _save(folder, byte_tokenizer(chat_template), seed, context)


def _save(folder: Path, tokenizer: Any, seed: int, context: int) -> Path:
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        initializer_range=0.3,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_adapter(
    folder: Path, base: Path, seed: int = 1, kind: peft.PeftConfig | None = None, **settings: Any
) -> Path:
    """An adapter whose weights are all random, so that it changes every answer; LoRA, if no other ``kind`` is given."""
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    config = kind or peft.LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM", **settings)
    adapted = peft.get_peft_model(model, copy.deepcopy(config))
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if parameter.requires_grad:
                if "magnitude" in name:
                    parameter.mul_(1.3)
                elif "ia3" in name:  # Factors, which begin as ones.
                    parameter.add_(0.5 * torch.randn_like(parameter))
                else:
                    parameter.normal_(std=0.15)
    adapted.save_pretrained(folder)
    return folder
