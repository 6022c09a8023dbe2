"""A model as one GGUF file."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from jobs.export import gguf_file
from jobs.export.answering import Answers, Original, Work
from jobs.export.llama import Llama, answers_of
from jobs.export.weights import Weights
from studio_core.base.errors import StudioError
from studio_core.exports.gguf import K_QUANTS, QUANTISER


def file_in(work: Work, folder: Path) -> Path:
    return folder / f"{work.run.file}-{work.options.type}.gguf"


def write(work: Work, folder: Path) -> dict[str, Any]:
    file, type = file_in(work, folder), work.options.type
    with Weights(work.run.model) as weights:
        if type not in K_QUANTS:
            return gguf_file.write(file, work.subject, work.tokenizer, weights, type)
        whole = folder / f".{file.name}.whole"
        told = gguf_file.write(whole, work.subject, work.tokenizer, weights, "F32")
    _quantise(whole, file, type)
    whole.unlink()
    return told


def _quantise(whole: Path, file: Path, type: str) -> None:
    program = shutil.which(QUANTISER)
    if program is None:
        raise StudioError("model_exports.no_quantiser", type=type, program=QUANTISER, instead="Q4_0")
    done = subprocess.run(
        [program, str(whole), str(file), type], capture_output=True, text=True, errors="replace", check=False
    )
    print(done.stdout, done.stderr, sep="\n")
    if done.returncode or not file.is_file():
        raise StudioError("model_exports.quantiser_failed", program=QUANTISER, code=done.returncode)


def answers(work: Work, folder: Path, original: Original) -> Answers:
    with Llama(file_in(work, folder), work, original) as llama:
        return answers_of(work, llama, original)
