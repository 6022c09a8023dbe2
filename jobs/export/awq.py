"""A model in four bits by AWQ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from llmcompressor.modifiers.quantization import QuantizationModifier
from llmcompressor.modifiers.transform.awq import AWQModifier

from jobs.export import llm_compressor
from jobs.export.answering import Work
from studio_core.base.errors import BadInput
from studio_core.exports.tools import LLM_COMPRESSOR

answers = llm_compressor.answers


def write(work: Work, folder: Path) -> dict[str, Any]:
    if not torch.cuda.is_available():  # The machine has one, but this job was given the CPU.
        raise BadInput("model_exports.no_gpu", tool=LLM_COMPRESSOR.name, format="AWQ")
    groups = llm_compressor.four_bits(work)
    recipe = [AWQModifier(), QuantizationModifier(config_groups=groups, ignore=llm_compressor.KEPT)]
    return llm_compressor.write(work, folder, recipe)
