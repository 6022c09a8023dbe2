"""A model as one GGUF file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jobs.export import gguf_file
from jobs.export.answering import Answers, Original, Work
from jobs.export.llama import Llama, answers_of
from jobs.export.weights import Weights


def file_in(work: Work, folder: Path) -> Path:
    return folder / f"{work.run.file}-{work.options.type}.gguf"


def write(work: Work, folder: Path) -> dict[str, Any]:
    with Weights(work.run.model) as weights:
        return gguf_file.write(
            file_in(work, folder), work.subject, work.tokenizer, weights, work.options.type
        )


def answers(work: Work, folder: Path, original: Original) -> Answers:
    with Llama(file_in(work, folder), work, original) as llama:
        return answers_of(work, llama, original)
