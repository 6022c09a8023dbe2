"""A model in four bits by GPTQ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llmcompressor.modifiers.gptq import GPTQModifier

from jobs.export import llm_compressor
from jobs.export.answering import Work

answers = llm_compressor.answers


def write(work: Work, folder: Path) -> dict[str, Any]:
    groups = llm_compressor.four_bits(work)
    return llm_compressor.write(
        work, folder, [GPTQModifier(config_groups=groups, ignore=llm_compressor.KEPT)]
    )
