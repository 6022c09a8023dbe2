"""AWQ: four bits for a weight, where inputs that matter are scaled up before rounding (Lin et al., 2023)."""

from __future__ import annotations

from typing import Any

from studio_core.base.errors import BadInput
from studio_core.exports.base import Format
from studio_core.exports.llm_compressor import LIBRARIES, CalibratedOptions, against
from studio_core.exports.tools import LLM_COMPRESSOR, no_gpu


class AwqOptions(CalibratedOptions):
    pass


def _missing(_: Any) -> BadInput | None:
    return no_gpu(LLM_COMPRESSOR, "AWQ") or LLM_COMPRESSOR.missing()


AWQ = Format(
    "awq", AwqOptions, answers_by="transformers", against=against, missing=_missing, libraries=LIBRARIES
)
