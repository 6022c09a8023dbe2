"""A Llama written out by hand for fast training on a CPU, and its export to what transformers loads.

Half of the arithmetic in the stock model's backward pass on a CPU goes into the fused attention of short
rows; plain batched products with a softmax are twice as fast there. The weights are kept stacked over the
layers, so that the optimizer can treat all matrices of one shape at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaForCausalLM

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Shape:
    vocabulary: int
    width: int = 192
    layers: int = 4
    heads: int = 6
    hidden: int = 512
    positions: int = 1024
    theta: float = 10_000.0
    eps: float = 1e-5

    @property
    def head_width(self) -> int:
        return self.width // self.heads


def init_weights(shape: Shape, seed: int) -> Weights:
    rng = torch.Generator().manual_seed(seed)
    n, d, h = shape.layers, shape.width, shape.hidden

    def normal(*size: int) -> Tensor:
        return torch.randn(*size, generator=rng) * size[-1] ** -0.5

    weights = {
        "embed": torch.randn(shape.vocabulary, d, generator=rng) * 0.02,
        "qkv": normal(n, 3, d, d),
        # What adds to the residual stream starts at nothing, so that the first steps can be large.
        "out": torch.zeros(n, 1, d, d),
        "up": normal(n, 2, h, d),
        "down": torch.zeros(n, 1, d, h),
        "norms": torch.ones(n, 2, d),
        "last_norm": torch.ones(d),
    }
    return {name: weight.requires_grad_() for name, weight in weights.items()}


def rotary(shape: Shape, positions: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    half = shape.head_width // 2
    steps = shape.theta ** (-torch.arange(half, dtype=torch.float32) / half)
    angles = positions[..., None].float() * steps
    angles = torch.cat([angles, angles], -1)[:, None]
    return angles.cos().to(dtype), angles.sin().to(dtype)


def _turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat([-second, first], -1) * sin


def forward(weights: Weights, shape: Shape, tokens: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
    """Hidden states of the last layer; `mask` is what is added to the attention scores."""
    rows, length = tokens.shape
    d, heads, dh = shape.width, shape.heads, shape.head_width
    w = {name: weight.bfloat16() for name, weight in weights.items()}
    cos, sin = rotary(shape, positions, torch.bfloat16)
    x = F.embedding(tokens, w["embed"])
    for layer in range(shape.layers):
        y = F.rms_norm(x, (d,), w["norms"][layer, 0], shape.eps)
        qkv = F.linear(y, w["qkv"][layer].reshape(3 * d, d)).view(rows, length, 3, heads, dh)
        q, k, v = (part.transpose(1, 2) for part in qkv.unbind(2))
        q, k = _turn(q, cos, sin), _turn(k, cos, sin)
        scores = (q @ k.transpose(-1, -2)) / math.sqrt(dh) + mask
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(rows, length, d)
        x = x + F.linear(mixed, w["out"][layer, 0])
        y = F.rms_norm(x, (d,), w["norms"][layer, 1], shape.eps)
        gate, up = F.linear(y, w["up"][layer].reshape(2 * shape.hidden, d)).chunk(2, -1)
        x = x + F.linear(F.silu(gate) * up, w["down"][layer, 0])
    return F.rms_norm(x, (d,), w["last_norm"], shape.eps)


def export(weights: Weights, shape: Shape, *, pad: int, end: int) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=shape.positions,
        rope_parameters={"rope_type": "default", "rope_theta": shape.theta},
        rms_norm_eps=shape.eps,
        tie_word_embeddings=True,
        pad_token_id=pad,
        eos_token_id=end,
        bos_token_id=None,
    )
    model = LlamaForCausalLM(config)
    state = {"model.embed_tokens.weight": weights["embed"], "model.norm.weight": weights["last_norm"]}
    for n in range(shape.layers):
        prefix = f"model.layers.{n}."
        for i, name in enumerate(("q_proj", "k_proj", "v_proj")):
            state[f"{prefix}self_attn.{name}.weight"] = weights["qkv"][n, i]
        state[f"{prefix}self_attn.o_proj.weight"] = weights["out"][n, 0]
        state[f"{prefix}mlp.gate_proj.weight"] = weights["up"][n, 0]
        state[f"{prefix}mlp.up_proj.weight"] = weights["up"][n, 1]
        state[f"{prefix}mlp.down_proj.weight"] = weights["down"][n, 0]
        state[f"{prefix}input_layernorm.weight"] = weights["norms"][n, 0]
        state[f"{prefix}post_attention_layernorm.weight"] = weights["norms"][n, 1]
    missing, unexpected = model.load_state_dict({k: v.detach() for k, v in state.items()}, strict=False)
    assert set(missing) <= {"lm_head.weight"} and not unexpected, (missing, unexpected)
    model.tie_weights()
    model.generation_config.max_new_tokens = 96
    return model.to(torch.bfloat16)
