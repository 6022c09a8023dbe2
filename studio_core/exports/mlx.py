"""A model in MLX's form, for Apple silicon: written and answered by mlx-lm."""

from __future__ import annotations

import sys
from typing import Any, Literal

from studio_core.base.errors import BadInput
from studio_core.exports.base import ExportOptions, Format, Subject, unmergeable
from studio_core.exports.tools import Tool
from studio_core.options import option

TOOL = Tool(
    "MLX",
    ("mlx", "mlx_lm"),
    # On a Mac MLX comes with mlx-lm; elsewhere it computes on the CPU, which is enough to write and to compare.
    "pip install mlx-lm" if sys.platform == "darwin" else 'pip install "mlx[cpu]" mlx-lm',
)


class MlxOptions(ExportOptions):
    # 8.5 bits a weight with its scales, as Q8_0 of GGUF.
    bits: Literal["stored", "8", "6", "4"] = option("8", advanced=False)


def _against(subject: Subject, _: Any) -> list[BadInput]:
    return unmergeable(subject)


MLX = Format(
    "mlx",
    MlxOptions,
    answers_by="mlx-lm",
    against=_against,
    missing=TOOL.missing,
    libraries=("mlx", "mlx-lm"),
)
