"""llama.cpp's forward pass, by its C interface: tokens in, logits out. Text, sampling and ends stay ours.

The library is the one that ``xllamacpp`` brings, whose own classes know a server but no logits. What C hands over by
value has no version that could be asked for; so nothing is computed unless the defaults that the library fills in are,
byte by byte, those of the layout below. Another layout is refused with a sentence.

``llama_decode`` runs without Python's lock, so two contexts compute on two cores.
"""

from __future__ import annotations

import ctypes
import importlib.util
import weakref
from collections.abc import Sequence
from ctypes import POINTER, c_char_p, c_float, c_int8, c_int32, c_size_t, c_uint32, c_void_p
from functools import cache
from pathlib import Path
from typing import Any

from studio_core.base.errors import StudioError

PACKAGE = "xllamacpp"
_READ_AT_ONCE = 512
"""Tokens of a prompt in one pass."""
_STEP = 256
"""A context is so many tokens, or a multiple."""
_THREADS = 1
"""Of models that are worth it, a pass takes less than threads take to wait for each other."""
_F32 = 0
_NO_FLASH_ATTENTION = 0


class _ModelParams(ctypes.Structure):
    _fields_ = (
        ("devices", c_void_p),
        ("buffer_types", c_void_p),
        ("n_gpu_layers", c_int32),
        ("split_mode", c_int32),
        ("rest", c_int8 * 56),
    )


class _ContextParams(ctypes.Structure):
    _fields_ = (
        ("n_ctx", c_uint32),
        ("n_batch", c_uint32),
        ("n_ubatch", c_uint32),
        ("n_seq_max", c_uint32),
        ("outputs", c_uint32 * 3),
        ("n_threads", c_int32),
        ("n_threads_batch", c_int32),
        ("context_type", c_int32),
        ("rope_pooling_attention", c_int32 * 3),
        ("flash_attention", c_int32),
        ("rope", c_float * 8),
        ("evaluated", c_void_p * 2),
        ("type_k", c_int32),
        ("type_v", c_int32),
        ("abort", c_void_p * 3),
        ("flags", c_int8 * 8),
        ("samplers", c_void_p * 3),
    )


class _Batch(ctypes.Structure):
    """Of one sequence: token, position, its sequence, and whether its logits are wanted, for each place."""

    _fields_ = (
        ("n_tokens", c_int32),
        ("tokens", POINTER(c_int32)),
        ("embeddings", c_void_p),
        ("positions", POINTER(c_int32)),
        ("sequences_of", POINTER(c_int32)),
        ("sequences", POINTER(POINTER(c_int32))),
        ("wanted", POINTER(c_int8)),
    )


_CONTEXT_DEFAULTS = bytes(
    _ContextParams(
        n_ctx=512,
        n_batch=2048,
        n_ubatch=512,
        n_seq_max=1,
        outputs=(0, 0, 1),
        n_threads=4,
        n_threads_batch=4,
        rope_pooling_attention=(-1, -1, -1),
        flash_attention=-1,
        rope=(0, 0, -1, -1, -1, -1, 0, -1),
        type_k=1,
        type_v=1,
        flags=(0, 1, 1, 1, 1, 0, 0, 0),
    )
)
_MODEL_HEAD = bytes(_ModelParams(n_gpu_layers=-1, split_mode=1))[:24]
_Log = ctypes.CFUNCTYPE(None, ctypes.c_int, c_char_p, c_void_p)
_QUIET = _Log(lambda level, text, data: None)


@cache
def library() -> Any:
    """The functions of ``llama.h``; raises ``StudioError`` where there are none that this layout fits."""
    file = library_file()
    if file is None:
        raise StudioError("chat.llama_cpp_missing", package=PACKAGE)
    try:
        functions = _declared(ctypes.CDLL(str(file)))
    except (OSError, AttributeError) as error:
        raise StudioError("chat.llama_cpp_other", package=PACKAGE, reason=error) from error
    model, context = functions.llama_model_default_params(), functions.llama_context_default_params()
    if bytes(context) != _CONTEXT_DEFAULTS or bytes(model)[:24] != _MODEL_HEAD:
        raise StudioError("chat.llama_cpp_other", package=PACKAGE, reason="llama.h")
    functions.llama_log_set(_QUIET, None)
    functions.llama_backend_init()
    return functions


def library_file() -> Path | None:
    spec = importlib.util.find_spec(PACKAGE)
    folders = [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []
    return next((found for folder in folders for found in sorted(folder.glob(f"{PACKAGE}*.so"))), None)


def _declared(functions: Any) -> Any:
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "llama_backend_init": (None, []),
        "llama_log_set": (None, [_Log, c_void_p]),
        "llama_model_default_params": (_ModelParams, []),
        "llama_context_default_params": (_ContextParams, []),
        "llama_model_load_from_file": (c_void_p, [c_char_p, _ModelParams]),
        "llama_model_free": (None, [c_void_p]),
        "llama_model_get_vocab": (c_void_p, [c_void_p]),
        "llama_vocab_n_tokens": (c_int32, [c_void_p]),
        "llama_init_from_model": (c_void_p, [c_void_p, _ContextParams]),
        "llama_free": (None, [c_void_p]),
        "llama_state_seq_get_size": (c_size_t, [c_void_p, c_int32]),
        "llama_state_seq_get_data": (c_size_t, [c_void_p, c_char_p, c_size_t, c_int32]),
        "llama_state_seq_set_data": (c_size_t, [c_void_p, c_char_p, c_size_t, c_int32]),
        "llama_decode": (c_int32, [c_void_p, _Batch]),
        "llama_get_logits_ith": (c_void_p, [c_void_p, c_int32]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(functions, name)
        function.restype, function.argtypes = result, arguments
    return functions


class Model:
    """A GGUF in memory. It is freed when nobody holds it."""

    def __init__(self, file: Path) -> None:
        functions = library()
        params = functions.llama_model_default_params()
        params.n_gpu_layers = 0
        self.pointer = functions.llama_model_load_from_file(str(file).encode(), params)
        if not self.pointer:
            raise StudioError("chat.llama_cpp_refuses", file=file.name)
        weakref.finalize(self, functions.llama_model_free, self.pointer)
        self.vocabulary: int = functions.llama_vocab_n_tokens(functions.llama_model_get_vocab(self.pointer))


class Context:
    """What a model has read of one text of at most ``room`` tokens; keys and values in F32.

    One for each text: several in one context would have llama.cpp plan its pass anew for each token.
    """

    def __init__(self, model: Model, room: int) -> None:
        self._functions, self._vocabulary = library(), model.vocabulary
        params = self._functions.llama_context_default_params()
        params.n_ctx = -(-room // _STEP) * _STEP
        params.n_batch = params.n_ubatch = _READ_AT_ONCE
        params.n_threads = params.n_threads_batch = _THREADS
        # As the decoding loop computes: nothing is rounded that is not rounded there.
        params.type_k, params.type_v, params.flash_attention = _F32, _F32, _NO_FLASH_ATTENTION
        self._pointer = self._functions.llama_init_from_model(model.pointer, params)
        if not self._pointer:
            raise StudioError("chat.llama_cpp_no_context", tokens=params.n_ctx)
        weakref.finalize(self, _free, self._functions, self._pointer, model)
        self._length = 0
        self._batch, self._parts = _batch()

    def read(self, tokens: Sequence[int], logits: int) -> None:
        """Go on with the text; the logits after it go to the address ``logits``, float32 of the vocabulary."""
        for start in range(0, len(tokens), _READ_AT_ONCE):
            part = tokens[start : start + _READ_AT_ONCE]
            self._decode(part, last=start + len(part) == len(tokens))
        values = self._functions.llama_get_logits_ith(self._pointer, -1)
        ctypes.memmove(logits, values, 4 * self._vocabulary)

    def copy(self, other: Context) -> None:
        """From now on this has read what the other has."""
        size = self._functions.llama_state_seq_get_size(other._pointer, 0)
        state = ctypes.create_string_buffer(size)
        self._functions.llama_state_seq_get_data(other._pointer, state, size, 0)
        if self._functions.llama_state_seq_set_data(self._pointer, state, size, 0) != size:
            raise StudioError("chat.llama_cpp_no_context", tokens=other._length)
        self._length = other._length

    def _decode(self, tokens: Sequence[int], *, last: bool) -> None:
        ids, positions, wanted = self._parts
        size = len(tokens)
        ids[:size] = tokens
        positions[:size] = range(self._length, self._length + size)
        wanted[size - 1] = last
        self._batch.n_tokens = size
        code = self._functions.llama_decode(self._pointer, self._batch)
        wanted[size - 1] = False
        if code:
            raise StudioError("chat.llama_cpp_failed", code=code)
        self._length += size


def _free(functions: Any, context: int, model: Model) -> None:
    """``model`` is an argument, so that it is freed after its contexts."""
    functions.llama_free(context)


def _batch() -> tuple[_Batch, tuple[Any, Any, Any]]:
    """One that is filled again and again, all of whose places are of the only sequence; and what is filled of it."""
    ids, positions, one = ((c_int32 * _READ_AT_ONCE)() for _ in range(3))
    one[:] = [1] * _READ_AT_ONCE
    wanted, sequence = (c_int8 * _READ_AT_ONCE)(), (c_int32 * 1)()
    pointer = ctypes.cast(sequence, POINTER(c_int32))
    sequences = (POINTER(c_int32) * _READ_AT_ONCE)(*[pointer] * _READ_AT_ONCE)
    return _Batch(0, ids, None, positions, one, sequences, wanted), (ids, positions, wanted)
