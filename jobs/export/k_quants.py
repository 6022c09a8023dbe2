"""Which tensors of a K-quant keep how many bits: a mixture, named S, M or L by its size.

Facts from llama.cpp's source (``llama-quant.cpp``, ``llama_tensor_get_type``): the projection to words keeps six bits,
values and the way down keep more in the layers where rounding was seen to cost most.
"""

from __future__ import annotations

import re

from gguf import GGMLQuantizationType as Type

_OUTPUT = "output.weight"
_WORDS = "token_embd.weight"
_IN_LAYER = re.compile(r"blk\.(\d+)\.(\w+)\.weight")
_BLOCK = 256
_WITHOUT_BLOCKS = {
    Type.Q2_K: Type.Q4_0,
    Type.Q3_K: Type.Q4_0,
    Type.Q4_K: Type.Q5_0,
    Type.Q5_K: Type.Q5_1,
    Type.Q6_K: Type.Q8_0,
}
"""Of a row that no whole number of blocks fills: blocks of 32 and a bit more for each weight."""


def base_of(recipe: str) -> Type:
    """``Q4_K_M`` -> ``Q4_K``."""
    return Type["_".join(recipe.split("_")[:2])]


def type_of(name: str, width: int, recipe: str, layers: int, groups: int, tied: bool) -> Type:
    """Of a matrix by llama.cpp's ``name``, with rows of ``width``; ``groups`` are heads of queries for each of keys,
    ``tied`` is whether the words are their own projection."""
    type = _wished(name, recipe, layers, groups, tied)
    return _WITHOUT_BLOCKS[type] if width % _BLOCK else type


def _wished(name: str, recipe: str, layers: int, groups: int, tied: bool) -> Type:
    base = base_of(recipe)
    if name == _OUTPUT or (name == _WORDS and tied):
        return Type.Q6_K
    place = _IN_LAYER.fullmatch(name)
    if place is None:
        return base
    layer, part = int(place[1]), place[2]
    if part == "attn_v":
        return _values(layer, recipe, layers, groups, base)
    if part == "ffn_down":
        return _down(layer, recipe, layers, base)
    if part == "attn_output":
        return {"Q2_K": Type.Q3_K, "Q3_K_M": Type.Q4_K, "Q3_K_L": Type.Q5_K}.get(recipe, base)
    return base


def _values(layer: int, recipe: str, layers: int, groups: int, base: Type) -> Type:
    match recipe:
        case "Q2_K":
            return Type.Q4_K if groups >= 4 else Type.Q3_K
        case "Q3_K_M":
            return Type.Q5_K if layer < 2 else Type.Q4_K
        case "Q3_K_L":
            return Type.Q5_K
        case "Q4_K_M" | "Q5_K_M" if _more_bits(layer, layers):
            return Type.Q6_K
        case "Q4_K_S" if layer < 4:
            return Type.Q5_K
    return base


def _down(layer: int, recipe: str, layers: int, base: Type) -> Type:
    match recipe:
        case "Q2_K":
            return Type.Q3_K
        case "Q3_K_M":
            if layer < layers // 16:
                return Type.Q5_K
            return Type.Q4_K if _more_bits(layer, layers) else Type.Q3_K
        case "Q3_K_L":
            return Type.Q5_K
        case "Q4_K_M" | "Q5_K_M" if _more_bits(layer, layers):
            return Type.Q6_K
        case "Q4_K_S" if layer < layers // 8:
            return Type.Q5_K
    return base


def _more_bits(layer: int, layers: int) -> bool:
    """The first and the last eighth, and every third between."""
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2
