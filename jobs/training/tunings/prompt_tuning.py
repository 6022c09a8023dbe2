"""Prompt tuning by PEFT: embeddings before every prompt, which begin as those of words drawn from the vocabulary."""

from __future__ import annotations

from typing import Any

from peft import PromptTuningConfig, PromptTuningInit

from jobs.training.tunings import Implementation
from studio_core.runs.spec import RunSpec
from studio_core.tunings.virtual_tokens import VirtualTokenOptions


def adapter(run: RunSpec, model: Any, options: VirtualTokenOptions) -> PromptTuningConfig:
    return PromptTuningConfig(
        num_virtual_tokens=options.virtual_tokens, prompt_tuning_init=PromptTuningInit.SAMPLE_VOCAB
    )


IMPLEMENTATION = Implementation(adapter=adapter)
