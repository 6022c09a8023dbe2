"""A LoRA adapter as GGUF: its A and B under the names of the weights that they change."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from safetensors.torch import load_file

from jobs.export import gguf_file
from jobs.export.answering import Answers, Original, Work
from jobs.export.llama import Llama, answers_of
from jobs.export.weights import Weights
from studio_core.base.errors import BadInput
from studio_core.exports import llama_cpp
from studio_core.models.inspect import require_own_files

_PART = re.compile(r"^base_model\.model\.(.+)\.lora_([AB])\.weight$")
WEIGHTS = "adapter_model.safetensors"


def file_in(work: Work, folder: Path) -> Path:
    return folder / f"{work.run.file}-lora-{work.options.type}.gguf"


def write(work: Work, folder: Path) -> dict[str, Any]:
    architecture = llama_cpp.ARCHITECTURES[work.subject.architecture]
    config = work.subject.adapter_config
    writer = gguf.GGUFWriter(file_in(work, folder), architecture.name)
    try:
        writer.add_type(gguf.GGUFType.ADAPTER)
        writer.add_name(work.subject.name)
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, _alpha(config))
        tensors = dict(_tensors(work, architecture))
        for name, values in tensors.items():
            writer.add_tensor(name, values)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()
    return {"tensors": len(tensors), "base": work.subject.folder.name}


def _alpha(config: dict[str, Any]) -> float:
    """llama.cpp multiplies by alpha / rank; rank-stabilised LoRA by alpha / sqrt(rank)."""
    alpha, rank = float(config["lora_alpha"]), int(config["r"])
    return alpha * math.sqrt(rank) if config.get("use_rslora") else alpha


def _tensors(work: Work, architecture: llama_cpp.Architecture) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    folder = Path(str(work.run.model.adapter))
    require_own_files(folder)
    known = gguf_file.names_of(work.subject, architecture.name)
    kind = torch.float32 if Type[work.options.type] == Type.F32 else torch.float16
    for source, values in load_file(folder / WEIGHTS).items():
        part = _PART.match(source)
        name = known.get_name(f"{part[1]}.weight", try_suffixes=(".weight",)) if part else None
        if part is None or name is None:
            raise BadInput("model_exports.tensor", model=work.subject.name, tensor=source[:120])
        if part[2] == "B":  # Its rows are those of the weight.
            values = gguf_file.in_order(values, name, work.subject.config, architecture)
        yield f"{name}.lora_{part[2].lower()}", values.to(kind).contiguous().numpy()


def answers(work: Work, folder: Path, original: Original) -> Answers:
    """On a GGUF of the base in full precision, which is not kept."""
    base = folder / ".base.gguf"
    complete = work.run.model.model_copy(update={"adapter": None})
    try:
        with Weights(complete) as weights:
            gguf_file.write(base, work.subject, work.tokenizer, weights, "F32")
        with Llama(base, work, original, lora=file_in(work, folder)) as llama:
            return answers_of(work, llama, original)
    finally:
        base.unlink(missing_ok=True)
