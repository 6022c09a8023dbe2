"""FP8: weights of linear layers as E4M3 with a scale for each output, inputs scaled token by token as they come."""

from __future__ import annotations

from typing import Any

from studio_core.base.errors import BadInput
from studio_core.exports.base import ExportOptions, Format, Subject, unmergeable
from studio_core.exports.llm_compressor import LIBRARIES
from studio_core.exports.tools import LLM_COMPRESSOR


class Fp8Options(ExportOptions):
    pass


def _against(subject: Subject, _: Any) -> list[BadInput]:
    return unmergeable(subject)


FP8 = Format(
    "fp8",
    Fp8Options,
    answers_by="transformers",
    against=_against,
    missing=LLM_COMPRESSOR.missing,
    libraries=LIBRARIES,
)
