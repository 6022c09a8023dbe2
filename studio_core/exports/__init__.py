"""Models as files for other programs: a format is one file here, and its twin with torch in ``jobs/export/``."""

from __future__ import annotations

from studio_core.base.errors import NotFound
from studio_core.exports.adapter import ADAPTER
from studio_core.exports.awq import AWQ
from studio_core.exports.base import Format
from studio_core.exports.fp8 import FP8
from studio_core.exports.gguf import GGUF
from studio_core.exports.gguf_lora import GGUF_LORA
from studio_core.exports.gptq import GPTQ
from studio_core.exports.merged import MERGED
from studio_core.exports.mlx import MLX
from studio_core.exports.ollama import OLLAMA
from studio_core.exports.onnx import ONNX

_ALL = (GGUF, OLLAMA, MERGED, ADAPTER, GGUF_LORA, ONNX, MLX, FP8, AWQ, GPTQ)
FORMATS: dict[str, Format] = {each.name: each for each in _ALL}
"""In the order in which a form offers them."""


def named(name: str) -> Format:
    """Raises ``NotFound`` with the formats that there are."""
    if name not in FORMATS:
        raise NotFound("model_exports.no_format", format=name[:40], known=", ".join(FORMATS))
    return FORMATS[name]


__all__ = ["FORMATS", "Format", "named"]
