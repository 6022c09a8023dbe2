"""One file for llama.cpp and all that runs on it: weights, tokenizer and chat template."""

from __future__ import annotations

import importlib.util
from typing import Any, Literal, get_args

from studio_core.base.errors import BadInput
from studio_core.exports import llama_cpp
from studio_core.exports.base import ExportOptions, Format, Subject, unmergeable
from studio_core.options import option

Plain = Literal["F32", "F16", "BF16", "Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0"]
"""What is written here."""
KQuant = Literal["Q6_K", "Q5_K_M", "Q5_K_S", "Q4_K_M", "Q4_K_S", "Q3_K_L", "Q3_K_M", "Q3_K_S", "Q2_K"]
"""What llama.cpp's own library makes."""
K_QUANTS: tuple[str, ...] = get_args(KQuant)

PACKAGE = "xllamacpp"
"""It brings the library."""
_BLOCK = 256
"""Weights of a block of K-quants, which a row has to be made of."""


class GgufOptions(ExportOptions):
    # 8.5 bits a weight, and hardly ever another answer (docs/MEASURED.md, "Export").
    type: Literal[Plain, KQuant] = option("Q8_0", advanced=False)


def against(subject: Subject, options: GgufOptions) -> list[BadInput]:
    problems = [*unmergeable(subject), *llama_cpp.against(subject)]
    width = subject.config.get("hidden_size")
    if options.type in K_QUANTS and isinstance(width, int) and width % _BLOCK:
        problems.append(
            BadInput(
                "model_exports.k_quant_width", type=options.type, width=width, block=_BLOCK, instead="Q8_0"
            )
        )
    return problems


def missing(options: Any) -> BadInput | None:
    if options.type not in K_QUANTS or importlib.util.find_spec(PACKAGE):
        return None
    return BadInput("model_exports.no_quantiser", type=options.type, package=PACKAGE, instead="Q4_0")


GGUF = Format("gguf", GgufOptions, answers_by="llama.cpp", against=against, missing=missing)
