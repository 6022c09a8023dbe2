"""A GGUF file: the weights of a model under llama.cpp's names, with what it needs to compute and to split text.

One tensor after another goes to the file, a few are computed ahead: a model needs no more memory than these.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from gguf import LlamaFileType as FileType

from jobs.export import ggml, gguf_vocabulary, k_quants
from jobs.export.weights import Weights
from studio_core.base.errors import BadInput
from studio_core.exports import llama_cpp
from studio_core.exports.base import Subject
from studio_core.exports.gguf import K_QUANTS

# Of these as many as a vocabulary has rows decide every word: at 4 or 5 bits they keep 8, as llama.cpp does it too.
_KEPT_FINER = ("token_embd.weight", "output.weight")
_COARSE = (Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1)
_INFINITE = 0x7C00
"""As fp16, without its sign."""
_AT_ONCE = min(4, os.cpu_count() or 1)
"""Tensors that are computed at once. Beyond four the disk is waited for."""
_NO_WEIGHT = re.compile(r"\.rotary_emb\.inv_freq$")
_TURNED = re.compile(r"\.attn_([qk])\.(weight|bias)$")


_Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Tensor:
    name: str
    """In the file."""
    source: str
    """In the model."""
    shape: tuple[int, ...]
    type: Type

    @property
    def bytes(self) -> int:
        return (
            int(np.prod(gguf.quant_shape_to_byte_shape(self.shape, self.type))) if self.packed else self.flat
        )

    @property
    def packed(self) -> bool:
        return self.type not in (Type.F32, Type.F16)

    @property
    def flat(self) -> int:
        return int(np.prod(self.shape)) * (4 if self.type == Type.F32 else 2)


def write(file: Path, subject: Subject, tokenizer: Any, weights: Weights, type: str) -> dict[str, Any]:
    """Write the model as ``type``; what is to be told of it. Raises ``BadInput`` of tensors that have no place.

    Without a ``tokenizer`` the file computes, and splits no text.
    """
    architecture = llama_cpp.ARCHITECTURES[subject.architecture]
    tensors = list(_tensors(subject, architecture.name, weights, type))
    writer = gguf.GGUFWriter(file, architecture.name)
    try:
        _add_settings(writer, subject)
        writer.add_file_type(_file_type(type))
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        if tokenizer is None:
            writer.add_tokenizer_model("none")
        else:
            gguf_vocabulary.add(writer, subject, tokenizer)
        factors = rope_factors(subject.config)
        if factors is not None:
            writer.add_tensor_info("rope_freqs.weight", factors.shape, factors.dtype, factors.nbytes)
        for tensor in tensors:
            writer.add_tensor_info(
                tensor.name, tensor.shape, np.dtype(np.float32), tensor.bytes, raw_dtype=tensor.type
            )
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        if factors is not None:
            writer.write_tensor_data(factors)
        for data in _ahead(tensors, lambda tensor: _data(tensor, subject, architecture, weights)):
            writer.write_tensor_data(data)
    finally:
        writer.close()
    base = (k_quants.base_of(type) if type in K_QUANTS else Type[type]).name
    kept = [tensor.name for tensor in tensors if len(tensor.shape) > 1 and tensor.type.name != base]
    return {"tensors": len(tensors), "kept_finer": len(kept)}


def _ahead(tensors: Sequence[Tensor], made: Callable[[Tensor], _Array]) -> Iterator[_Array]:
    """What is made of each tensor, in their order; the next ones are computed while one is written."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        waiting: deque[Future[_Array]] = deque()
        try:
            for tensor in tensors:
                waiting.append(pool.submit(made, tensor))
                if len(waiting) > _AT_ONCE:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for one in waiting:
                one.cancel()


def _file_type(type: str) -> FileType:
    return FileType.ALL_F32 if type == "F32" else FileType[f"MOSTLY_{type}"]


def _tensors(subject: Subject, architecture: str, weights: Weights, type: str) -> Iterator[Tensor]:
    known, config = names_of(subject, architecture), subject.config
    tied, groups = bool(config.get("tie_word_embeddings")), _heads(config, "q") // _heads(config, "k")
    for source, shape in weights.shapes.items():
        if _NO_WEIGHT.search(source) or (tied and source == "lm_head.weight"):
            continue
        name = known.get_name(source, try_suffixes=(".weight", ".bias"))
        if name is None:
            raise BadInput("model_exports.tensor", model=subject.name, tensor=source[:120])
        if type in K_QUANTS and len(shape) > 1:
            layers = int(config["num_hidden_layers"])
            yield Tensor(name, source, shape, k_quants.type_of(name, shape[-1], type, layers, groups, tied))
        else:
            plain = Type.F32 if type in K_QUANTS else Type[type]
            yield Tensor(name, source, shape, _type_of(name, shape, plain))


def names_of(subject: Subject, architecture: str) -> gguf.TensorNameMap:
    """What llama.cpp calls the tensors of a model of this architecture."""
    named = next(each for each, known in gguf.MODEL_ARCH_NAMES.items() if known == architecture)
    return gguf.get_tensor_name_map(named, int(subject.config["num_hidden_layers"]))


def _type_of(name: str, shape: tuple[int, ...], type: Type) -> Type:
    if len(shape) == 1:  # Norms and biases, which are few numbers and decide much.
        return Type.F32
    if name in _KEPT_FINER and type in _COARSE:
        type = Type.Q8_0
    # A row that no whole number of blocks fills.
    return Type.F16 if shape[-1] % gguf.GGML_QUANT_SIZES[type][0] else type


def _data(tensor: Tensor, subject: Subject, architecture: llama_cpp.Architecture, weights: Weights) -> _Array:
    values = in_order(weights[tensor.source], tensor.name, subject.config, architecture)
    if tensor.type == Type.BF16:
        return values.to(torch.bfloat16).contiguous().view(torch.int16).numpy().view(np.uint8)
    if tensor.type == Type.F16:
        halves = values.to(torch.float16).contiguous().numpy()
        # By its bits, which takes a tenth of the time: above the largest number come infinity and what is none.
        if (halves.view(np.uint16) & 0x7FFF).max(initial=0) >= _INFINITE:
            raise BadInput(
                "model_exports.overflow", model=subject.name, tensor=tensor.source[:120], instead="BF16"
            )
        return halves
    if tensor.packed:
        return ggml.quantised(values, tensor.type)
    return values.to(torch.float32).contiguous().numpy()


def in_order(
    values: torch.Tensor, name: str, config: dict[str, Any], architecture: llama_cpp.Architecture
) -> torch.Tensor:
    """The rows of a weight as llama.cpp wants them; ``name`` is its own."""
    turned = _TURNED.search(name) if architecture.interleaved else None
    return interleaved(values, _heads(config, turned[1])) if turned else values


def interleaved(values: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows of queries or keys, ``(heads * d, ...)``: of each head (x0, x_d/2, x1, x_d/2+1, ...), which llama.cpp turns
    in neighbouring pairs, from the halves that Hugging Face turns."""
    rest = values.shape[1:]
    halves = values.reshape(heads, 2, values.shape[0] // heads // 2, *rest)
    return halves.swapaxes(1, 2).reshape(values.shape)


def _heads(config: dict[str, Any], which: str) -> int:
    heads = int(config["num_attention_heads"])
    return heads if which == "q" else int(config.get("num_key_value_heads") or heads)


def _add_settings(writer: gguf.GGUFWriter, subject: Subject) -> None:
    """How it is computed, as ``config.json`` has it."""
    config = subject.config
    heads = _heads(config, "q")
    width = int(config.get("head_dim") or config["hidden_size"] // heads)
    rope = llama_cpp.rope(config)
    writer.add_name(subject.name)
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_context_length(int(config["max_position_embeddings"]))
    writer.add_embedding_length(int(config["hidden_size"]))
    writer.add_block_count(int(config["num_hidden_layers"]))
    writer.add_feed_forward_length(int(config["intermediate_size"]))
    writer.add_head_count(heads)
    writer.add_head_count_kv(_heads(config, "k"))
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_layer_norm_rms_eps(float(config.get("rms_norm_eps", 1e-6)))
    writer.add_rope_dimension_count(width)
    writer.add_rope_freq_base(float(rope["rope_theta"]))
    writer.add_vocab_size(int(config["vocab_size"]))
    if rope["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(float(rope["factor"]))


def rope_factors(config: dict[str, Any]) -> np.ndarray[Any, Any] | None:
    """By how much Llama 3.1 slows each pair of a head, float32 of ``(head_dim / 2,)``; None for other models.

    Short waves stay as they are, long ones are ``factor`` times longer, those between are blended: the formula of
    transformers' ``_compute_llama3_parameters``, as the divisors that llama.cpp takes.
    """
    rope = llama_cpp.rope(config)
    if rope["rope_type"] != "llama3":
        return None
    width = int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])
    factor, low, high = (float(rope[name]) for name in ("factor", "low_freq_factor", "high_freq_factor"))
    trained = float(rope["original_max_position_embeddings"])
    waves = 2 * np.pi * float(rope["rope_theta"]) ** (np.arange(0, width, 2) / width)
    smooth = np.clip((trained / waves - low) / (high - low), 0.0, 1.0)
    return (1 / ((1 - smooth) / factor + smooth)).astype(np.float32)
