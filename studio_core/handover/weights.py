"""What another trainer left as a model: found in the folder, checked against the run's base, and copied.

Nothing of it is run or unpickled. Only files that a model of ours is made of are copied; all others are told.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import prod
from pathlib import Path
from typing import Any

from studio_core.base.atomic import write_json
from studio_core.base.errors import BadInput
from studio_core.base.files import open_below
from studio_core.handover.base import OUTPUT
from studio_core.models.inspect import inspect, read_json, require_own_files, shapes, tensors
from studio_core.runs.spec import ResolvedModel
from studio_core.sandbox import sandboxed

ADAPTER, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"
PLACES = (OUTPUT, "model", "output/hf", f"{OUTPUT}/checkpoint-*")
"""Where a result may lie below the folder, as patterns; the first that holds one, of checkpoints the last."""
_FILES = (
    "model*.safetensors", "model.safetensors.index.json", ADAPTER, ADAPTER_CONFIG, "config.json",
    "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "merges.txt", "tokenizer.model", "chat_template.jinja", "chat_template.json",
)  # fmt: skip
_SIZES = ("hidden", "layers", "heads", "intermediate")
"""What a training does not change. Its vocabulary may: trainers round it up."""
_PIECE = re.compile(r"\.(lora_A|lora_B|lora_embedding_A|lora_embedding_B|lora_magnitude_vector)(\.weight)?$")
_TOLD = 12


@dataclass(frozen=True)
class Weights:
    """A result as it lies there."""

    kind: str
    """``adapter`` or ``full``."""
    parameters: int
    """Of a whole model; of an adapter 0."""
    library: str = ""
    """What saved it, with its version, as far as its files say it."""


def place(folder: Path, trainer: str, how: str) -> str:
    """The folder of the result, below ``folder``; raises ``BadInput`` that says ``how`` there would be one."""
    for pattern in PLACES:
        found = [path for path in folder.glob(pattern) if path.is_dir() and _holds(path)]
        if found:
            last = max(found, key=lambda path: (_number(path.name), path.name))
            return str(last.relative_to(folder))
    raise BadInput("handover.no_weights", folder=folder, trainer=trainer, how=how)


def _number(name: str) -> int:
    tail = name.rpartition("-")[2]
    return int(tail[:15]) if tail.isascii() and tail.isdigit() else -1


def _holds(folder: Path) -> bool:
    whole = (folder / "config.json").is_file() and any(folder.glob("model*.safetensors"))
    return whole or (folder / ADAPTER_CONFIG).is_file()


@sandboxed
def check(folder: Path, base: ResolvedModel, writes: bool) -> Weights:
    """What is in a resolved folder; raises ``BadInput`` if it is none that ``base`` became.

    ``writes``: whether the run makes a model that writes; one that scores is whole and has a head for that.
    """
    require_own_files(folder)
    if (folder / ADAPTER_CONFIG).is_file():
        return _adapter(folder, base, writes)
    found, original = inspect(folder, trust_remote_code=base.trust_remote_code), _original(base)
    differ = [
        f"{name}: {theirs} / {ours}"
        for name in _SIZES
        if (theirs := getattr(found, name)) != (ours := getattr(original, name)) and ours
    ]
    if differ:
        raise BadInput("handover.other_base", folder=folder, model=base.name, differ=", ".join(differ))
    if writes is found.architecture.endswith("ForSequenceClassification"):
        raise BadInput("handover.other_head", folder=folder, architecture=found.architecture)
    version = read_json(folder / "config.json").get("transformers_version")
    return Weights("full", found.parameters, _library("transformers", version))


def _original(base: ResolvedModel) -> Any:
    return inspect(Path(base.path).resolve(), trust_remote_code=base.trust_remote_code)


def _library(name: str, version: Any) -> str:
    return f"{name} {version[:40]}" if isinstance(version, str) and version.isprintable() else ""


def _adapter(folder: Path, base: ResolvedModel, writes: bool) -> Weights:
    config = read_json(folder / ADAPTER_CONFIG)
    if not (folder / ADAPTER).is_file():
        raise BadInput("models.no_weights", path=folder)
    if config.get("peft_type") != "LORA":
        raise BadInput("handover.no_lora", folder=folder, kind=str(config.get("peft_type"))[:40])
    if config.get("megatron_config"):
        raise BadInput("handover.own_classes", folder=folder)
    if not writes:
        raise BadInput("handover.head_in_adapter", folder=folder)
    if "auto_map" in read_json(folder / "tokenizer_config.json") and not base.trust_remote_code:
        raise BadInput("models.remote_code", path=folder)
    layers: dict[str, list[int]] = {
        _layer(name): shape for name, shape in shapes(Path(base.path).resolve()).items()
    }
    stored_in_bits = _original(base).quantised
    for name, entry in tensors(folder / ADAPTER).items():
        if not _fits(name, entry["shape"], layers, stored_in_bits):
            shape = "×".join(map(str, entry["shape"]))
            raise BadInput(
                "handover.no_layer", tensor=name[:120], shape=shape, model=base.name, folder=folder
            )
    return Weights("adapter", 0, _library("PEFT", config.get("peft_version")))


def _layer(name: str) -> str:
    """A layer by its place in the model: what stands before ``layers`` differs between files and classes."""
    name = name.removesuffix(".weight").removesuffix(".bias")
    _, inner, after = name.rpartition("layers.")
    return after if inner else name.rpartition(".")[2]


def _fits(name: str, shape: list[int], layers: dict[str, list[int]], stored_in_bits: bool) -> bool:
    """Whether a tensor of an adapter is one of a layer that the base has."""
    piece = _PIECE.search(name)
    layer = _layer(name[: piece.start()] if piece else name)
    # A head that shares the weights of the embedding has none of its own.
    if layer == "lm_head" and layer not in layers:
        layer = "embed_tokens"
    if layer not in layers:
        return False
    if stored_in_bits or not piece or len(shape) < 2:
        return prod(shape) > 0
    width = shape[0] if piece[1].endswith("B") and "embedding" not in piece[1] else shape[-1]
    return width in layers[layer] or (piece[1].startswith("lora_embedding") and shape[0] in layers[layer])


def copy(folder: Path, target: Path, base: ResolvedModel) -> list[str]:
    """Copy what makes up the model into an empty folder; returns the names that were left. Both are resolved."""
    left = []
    for name in sorted(path.name for path in folder.iterdir()):
        if not any(fnmatchcase(name, pattern) for pattern in _FILES):
            left.append(name)
            continue
        with open_below(folder, name) as source, open(target / name, "wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
    if (target / ADAPTER_CONFIG).is_file():
        # Its base is ours, wherever it lay there, and it writes: no class that the file names is looked for.
        ours = {"base_model_name_or_path": base.path, "auto_mapping": None, "task_type": "CAUSAL_LM"}
        write_json(target / ADAPTER_CONFIG, read_json(target / ADAPTER_CONFIG) | ours)
    return left


def told(names: list[str]) -> str:
    """Some names for a sentence."""
    return ", ".join(_short(names))


def _short(names: list[str]) -> Iterator[str]:
    for name in names[:_TOLD]:
        yield "".join(sign if sign.isprintable() else "?" for sign in name)[:80]
    if len(names) > _TOLD:
        yield "…"
