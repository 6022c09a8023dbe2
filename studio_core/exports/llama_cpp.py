"""What llama.cpp can carry: architectures as it computes them, tokenizers as it splits text.

A tokenizer is told by what its ``tokenizer.json`` does, not by its name: the regular expressions below are those of
llama.cpp's ``llama-vocab.cpp`` under the name that a GGUF gives (``tokenizer.ggml.pre``). Whether both really make the
same tokens is tried on texts before a result is kept (``jobs/export/llama.py``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from studio_core.base.errors import BadInput
from studio_core.exports.base import Subject
from studio_core.models.inspect import read


@dataclass(frozen=True)
class Architecture:
    name: str
    """As a GGUF calls it."""
    interleaved: bool
    """Whether it turns neighbouring numbers of a head (x0, x1), where Hugging Face turns halves (x0, x_d/2): the rows
    of queries and keys are put in that order."""


_LLAMA = Architecture("llama", interleaved=True)
ARCHITECTURES = {
    "LlamaForCausalLM": _LLAMA,
    "MistralForCausalLM": _LLAMA,
    "Qwen2ForCausalLM": Architecture("qwen2", interleaved=False),
    "Qwen3ForCausalLM": Architecture("qwen3", interleaved=False),
}

ROPES = ("default", "linear", "llama3")
"""Ways of turning positions that are written, by their names in ``config.json``."""

_LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN_2 = _LLAMA_3.replace(r"\p{N}{1,3}", r"\p{N}")
_BY_SPLIT = {_LLAMA_3: "llama-bpe", _QWEN_2: "qwen2"}


@dataclass(frozen=True)
class TokenizerKind:
    model: Literal["gpt2", "llama"]
    """``gpt2``: bytes in letters, merged by rank; ``llama``: SentencePiece, merged by score."""
    pre: str
    """What splits a text into words, as llama.cpp calls it."""
    prefix_space: bool = False
    """Whether a space is put before the text."""


def against(subject: Subject) -> list[BadInput]:
    """Why llama.cpp could not carry this model as it is."""
    problems = [*of_architecture(subject)]
    try:
        tokenizer_kind(tokenizer_document(subject.tokens), subject.name)
    except BadInput as problem:
        problems.append(problem)
    return problems


def of_architecture(subject: Subject) -> list[BadInput]:
    """The same of what it computes alone, whoever splits the text."""
    config, named = subject.config, subject.architecture
    if named not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        return [BadInput("model_exports.architecture", model=subject.name, architecture=named, known=known)]
    peculiar = {
        "hidden_act": config.get("hidden_act", "silu") != "silu",
        "mlp_bias": bool(config.get("mlp_bias")),
        "sliding_window": bool(config.get("sliding_window")) and config.get("use_sliding_window", True),
        "rope_type": rope(config).get("rope_type", "default") not in ROPES,
    }
    return [
        BadInput("model_exports.peculiar", model=subject.name, setting=name, value=_told(config, name))
        for name, is_so in peculiar.items()
        if is_so
    ]


def _told(config: Mapping[str, Any], name: str) -> str:
    value = rope(config).get(name) if name == "rope_type" else config.get(name)
    return str(value)[:80]


def rope(config: Mapping[str, Any]) -> dict[str, Any]:
    """How positions are turned, from either of the places where a configuration says it."""
    new, old = config.get("rope_parameters"), config.get("rope_scaling")
    merged: dict[str, Any] = {"rope_theta": config.get("rope_theta", 10_000.0)}
    for given in (old, new):
        if isinstance(given, dict):
            merged |= given
    merged.setdefault("rope_type", merged.get("type", "default"))
    return merged


def tokenizer_document(folder: Path) -> dict[str, Any]:
    """``tokenizer.json``; raises ``BadInput`` if the folder has none that can be read."""
    try:
        document = json.loads(read(folder / "tokenizer.json"))
        if not isinstance(document.get("model"), dict):
            raise ValueError("no model in it")
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise BadInput("models.bad_json", path=folder / "tokenizer.json", reason=error) from error
    return dict(document)


def tokenizer_kind(document: Mapping[str, Any], name: str) -> TokenizerKind:
    """Raises ``BadInput`` of a tokenizer that does what llama.cpp has no name for."""
    model = document["model"]
    steps, normal = _flat(document.get("pre_tokenizer")), _flat(document.get("normalizer"))
    if model.get("type") != "BPE":
        raise BadInput("model_exports.tokenizer", model=name, what=f"model {str(model.get('type'))[:40]}")
    if not steps and model.get("byte_fallback"):
        return _sentencepiece(normal, name)
    if [each.get("type") for each in normal] not in ([], ["NFC"]):
        raise _unknown(name, "normalizer", normal)
    match steps:
        case [{"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}]:
            return TokenizerKind("gpt2", "gpt-2")
        case [
            {"type": "Digits", "individual_digits": True},
            {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
        ]:
            return TokenizerKind("gpt2", "smollm")
        case [
            {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
        ] if pattern in _BY_SPLIT:
            return TokenizerKind("gpt2", _BY_SPLIT[pattern])
    raise _unknown(name, "pre_tokenizer", steps)


def _sentencepiece(normal: list[dict[str, Any]], name: str) -> TokenizerKind:
    match normal:
        case [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}}]:
            return TokenizerKind("llama", "default", prefix_space=True)
        case [{"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]:
            return TokenizerKind("llama", "default")
    raise _unknown(name, "normalizer", normal)


def _unknown(name: str, what: str, steps: list[dict[str, Any]]) -> BadInput:
    named = ", ".join(str(step.get("type")) for step in steps) or "-"
    return BadInput("model_exports.tokenizer", model=name, what=f"{what} {named[:120]}")


def _flat(step: Any) -> list[dict[str, Any]]:
    """The steps of a pre-tokenizer or normalizer in their order, without the lists that they stand in."""
    if not isinstance(step, dict):
        return []
    if step.get("type") != "Sequence":
        return [step]
    inner = step.get("pretokenizers") or step.get("normalizers") or []
    return [each for below in inner for each in _flat(below)]
