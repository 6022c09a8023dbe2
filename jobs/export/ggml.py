"""Weights of fewer bits by ggml's own C code. What ``gguf`` has in NumPy are the same bytes, several times as slow; of
K-quants it has none.

The function is the one of ``ggml.h`` by which llama.cpp quantises; it runs without Python's lock.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type

from jobs.generation import llama_cpp
from studio_core.base.errors import StudioError
from studio_core.exports.gguf import PACKAGE

# llama.cpp's own library has these formats since its first release; their numbers are part of the file format.
K_TYPES = (Type.Q6_K, Type.Q5_K, Type.Q4_K, Type.Q3_K, Type.Q2_K)
TYPES = (Type.Q8_0, Type.Q5_1, Type.Q5_0, Type.Q4_1, Type.Q4_0, *K_TYPES)


_AT_ONCE = 1 << 18
"""Weights: 1 MB as float32, which stays in a core's cache between its two passes."""


def quantised(weight: torch.Tensor, type: Type) -> np.ndarray[Any, Any]:
    """Rows of whole blocks, ``(..., width)``, as bytes of ``(..., bytes of the blocks of a row)``.

    Raises ``StudioError`` of K-quants where the library is not to be had.
    """
    chunk, width = _function(), weight.shape[-1]
    if chunk is None and type in K_TYPES:
        raise StudioError("model_exports.no_quantiser", type=type.name, package=PACKAGE, instead="Q4_0")
    if chunk is None or type not in TYPES:
        return gguf.quants.quantize(weight.to(torch.float32).contiguous().numpy(), type)
    rows = weight.reshape(-1, width)
    made = np.empty(gguf.quant_shape_to_byte_shape(tuple(rows.shape), type), np.uint8)
    step = max(1, _AT_ONCE // width)
    for start in range(0, len(rows), step):
        part = rows[start : start + step].to(torch.float32).contiguous()
        to = made[start : start + step]
        written = chunk(int(type), part.data_ptr(), to.ctypes.data, 0, len(part), width, None)
        if written != to.nbytes:
            raise ValueError(f"ggml wrote {written} bytes of {type.name}, {to.nbytes} were expected")
    return made.reshape(gguf.quant_shape_to_byte_shape(tuple(weight.shape), type))


@cache
def _function() -> Any:
    """``ggml_quantize_chunk(type, from, to, start, rows, width, importance) -> bytes``; None where there is none."""
    file = llama_cpp.library_file()
    if file is None:
        return None
    try:
        function = ctypes.CDLL(str(file)).ggml_quantize_chunk
    except (OSError, AttributeError):  # Another build: NumPy does it too.
        return None
    function.restype = ctypes.c_size_t
    whole = ctypes.c_int64
    function.argtypes = [
        ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, whole, whole, whole, ctypes.c_void_p,
    ]  # fmt: skip
    return function
