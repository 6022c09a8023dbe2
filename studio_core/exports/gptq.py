"""GPTQ: four bits for a weight, where each rounding is made up for by the weights after it (Frantar et al., 2022)."""

from __future__ import annotations

from studio_core.exports.base import Format
from studio_core.exports.llm_compressor import LIBRARIES, CalibratedOptions, against
from studio_core.exports.tools import LLM_COMPRESSOR


class GptqOptions(CalibratedOptions):
    pass


GPTQ = Format(
    "gptq",
    GptqOptions,
    answers_by="transformers",
    against=against,
    missing=LLM_COMPRESSOR.missing,
    libraries=LIBRARIES,
)
