"""A model in FP8. It needs no rows of data: how far inputs reach is seen as they come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llmcompressor.modifiers.quantization import QuantizationModifier

from jobs.export import llm_compressor
from jobs.export.answering import Work

answers = llm_compressor.answers


def write(work: Work, folder: Path) -> dict[str, Any]:
    recipe = QuantizationModifier(
        targets=llm_compressor.TARGETS, scheme="FP8_DYNAMIC", ignore=llm_compressor.KEPT
    )
    return llm_compressor.write(work, folder, [recipe])
