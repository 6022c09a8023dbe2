"""Model folders made by hand: a few small tensors, a configuration, a tokenizer; and jobs that left one."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from studio_core.base.studio import Studio
from studio_core.base.tables import Job, Model
from studio_core.runs import queue

TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
SIZES = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 32}


def safetensors(path: Path, shapes: dict[str, list[int]], dtype: str = "F32") -> None:
    """A safetensors file of zeros, as its format describes it."""
    width = {"F32": 4, "BF16": 2, "U8": 1}[dtype]
    header, offset = {}, 0
    for name, shape in shapes.items():
        size = width
        for dimension in shape:
            size *= dimension
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    block = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(block)) + block + bytes(offset))


def model_folder(path: Path, *, template: bool = True, **config: Any) -> Path:
    """A complete model of 320 parameters."""
    path.mkdir(parents=True)
    document = {"architectures": ["LlamaForCausalLM"], **SIZES, "max_position_embeddings": 128, **config}
    (path / "config.json").write_text(json.dumps(document))
    (path / "tokenizer.json").write_text("{}")
    tokenizer = {"chat_template": TEMPLATE} if template else {}
    (path / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    safetensors(path / "model.safetensors", {"embed": [32, 8], "head": [8, 8]})
    return path


def adapter_folder(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "adapter_config.json").write_text('{"r": 4, "base_model_name_or_path": "org/base"}')
    safetensors(path / "adapter_model.safetensors", {"lora_A": [4, 8]})
    return path


def ended_job(studio: Studio, parent: Model, kind: str, name: str = "sft-base") -> tuple[Job, dict[str, Any]]:
    """A job whose run has left a model in its folder, and what it reported."""
    run = {
        "model": {"id": parent.id, "name": parent.name, "path": parent.path},
        "dataset": {"name": "sums", "version": 2},
    }
    job = queue.submit(studio, kind="train", name=name, method="sft", spec={"run": run})
    folder = Path(str(job.run_dir)) / "model"
    make = {"adapter": adapter_folder, "full": model_folder}[kind]
    make(folder)
    return job, {"model": "model", "kind": kind, "state": "succeeded", "parameters": 320, "seconds": 2.5}
