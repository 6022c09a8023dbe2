"""Look into a model's folder without loading it: nothing in it is run, unpickled or trusted.

What is read: JSON files, and the headers of safetensors files, which name every
tensor with its type and shape. That is enough to count parameters and to estimate
memory, and it takes milliseconds for a model of any size.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any

from studio_core.errors import BadInput

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")

# A header names tensors only; the largest known is below 10 MB.
_HEADER_LIMIT = 100 << 20
_JSON_LIMIT = 64 << 20


@dataclass(frozen=True)
class Inspected:
    """What is known of a model from its files. Sizes that its configuration does not name are 0."""

    architecture: str
    parameters: int
    bytes: int
    """Of all weight files."""
    precision: str
    """Type of most of the weights, as safetensors calls it: F32, BF16, F16 ..."""
    hidden: int
    layers: int
    heads: int
    intermediate: int
    vocab: int
    max_length: int
    """Tokens that its positions reach."""
    tied: bool
    """Whether the output head shares the weights of the embedding."""
    quantised: bool
    """Whether its weights are stored in 8 or 4 bit."""
    chat_template: bool
    own_code: bool
    """Whether it asks for Python code of its own to be run (``auto_map``)."""

    def details(self) -> dict[str, Any]:
        return asdict(self)


def inspect(folder: Path, *, roots: Sequence[Path] = (), trust_remote_code: bool = False) -> Inspected:
    """What is in the folder of a complete model; raises ``BadInput`` with the first thing that is wrong.

    With ``roots``, files that are links to somewhere outside of them are refused.
    """
    if not folder.is_dir():
        raise BadInput("models.no_folder", path=folder)
    if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        base = _read(folder / "adapter_config.json").get("base_model_name_or_path") or "?"
        raise BadInput("models.only_adapter", path=folder, base=base)
    if not (folder / "config.json").is_file():
        raise BadInput("models.no_config", path=folder)
    config = _read(folder / "config.json")
    weights = _weight_files(folder)
    _require_tokenizer(folder)
    _require_inside(folder, weights, roots)
    own_code = "auto_map" in config or "auto_map" in _read_if_there(folder / "tokenizer_config.json")
    if own_code and not trust_remote_code:
        raise BadInput("models.remote_code", path=folder)
    counted = _count(weights)
    return _described(config, counted, chat_template(folder) is not None, own_code)


def chat_template(folder: Path) -> str | None:
    """The model's own chat template, from any of the places where one may stand."""
    single = folder / "chat_template.jinja"
    if single.is_file():
        return single.read_text(encoding="utf-8", errors="replace")
    for name in ("tokenizer_config.json", "chat_template.json"):
        template = _read_if_there(folder / name).get("chat_template")
        if isinstance(template, list):
            named = {str(t.get("name")): t.get("template") for t in template if isinstance(t, dict)}
            template = named.get("default")
        if isinstance(template, str) and template.strip():
            return template
    return None


def tensors(path: Path) -> dict[str, dict[str, Any]]:
    """The header of a safetensors file: ``{tensor: {"dtype", "shape", "data_offsets"}}``.

    Raises ``BadInput`` if the file is not one, or is shorter than its header says.
    """
    size = path.stat().st_size
    try:
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > min(size, _HEADER_LIMIT):
                raise ValueError
            header: dict[str, Any] = json.loads(file.read(length))
        header.pop("__metadata__", None)
        end = max((int(entry["data_offsets"][1]) for entry in header.values()), default=0)
        sizes = [dimension for entry in header.values() for dimension in entry["shape"]]
        if not all(isinstance(size, int) and size >= 0 for size in sizes):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise BadInput("models.not_safetensors", path=path) from error
    if size < 8 + length + end:
        raise BadInput("models.cut_off", path=path, size=size, expected=8 + length + end)
    return header


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _JSON_LIMIT:
            raise ValueError("too large")
        document = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict):
            raise ValueError("not an object")
    except (OSError, ValueError) as error:
        raise BadInput("models.bad_json", path=path, reason=error) from error
    return document


def _read_if_there(path: Path) -> dict[str, Any]:
    return _read(path) if path.is_file() else {}


def _weight_files(folder: Path) -> list[Path]:
    if (folder / INDEX).is_file():
        shards = _read(folder / INDEX).get("weight_map")
        names = {str(name) for name in shards.values()} if isinstance(shards, dict) else set()
        files = [folder / name for name in sorted(names) if "/" not in name and "\\" not in name]
        if missing := [file.name for file in files if not file.is_file()]:
            raise BadInput("models.shard_missing", path=folder, file=missing[0])
        if files:
            return files
    files = sorted(folder.glob("model*.safetensors"))
    if files:
        return files
    pickled = [file.name for pattern in PICKLED for file in sorted(folder.glob(pattern))]
    if pickled:
        raise BadInput("models.pickled", path=folder, file=pickled[0])
    raise BadInput("models.no_weights", path=folder)


def _require_tokenizer(folder: Path) -> None:
    if (folder / "tokenizer.json").is_file():
        _read(folder / "tokenizer.json")
        return
    if (folder / "tokenizer.model").is_file():
        raise BadInput("models.slow_tokenizer", path=folder)
    raise BadInput("models.no_tokenizer", path=folder)


def _require_inside(folder: Path, weights: Sequence[Path], roots: Sequence[Path]) -> None:
    if not roots:
        return
    for file in [folder / "config.json", folder / "tokenizer.json", *weights]:
        if not inside(file.resolve(), roots):
            raise BadInput("models.link_outside", path=file)


def inside(path: Path, roots: Sequence[Path]) -> bool:
    """Whether a resolved path lies under one of the roots."""
    return any(path.is_relative_to(root) for root in roots)


@dataclass(frozen=True)
class _Counted:
    parameters: int
    bytes: int
    precision: str


def _count(files: Sequence[Path]) -> _Counted:
    by_type: dict[str, int] = {}
    for file in files:
        for entry in tensors(file).values():
            by_type[entry["dtype"]] = by_type.get(entry["dtype"], 0) + prod(entry["shape"])
    precision = max(by_type, key=lambda kind: by_type[kind], default="")
    return _Counted(sum(by_type.values()), sum(file.stat().st_size for file in files), precision)


def architecture(folder: Path) -> str:
    """The class that the model was saved from; empty if its folder does not say."""
    return _architecture(_read_if_there(folder / "config.json"))


def _architecture(config: dict[str, Any]) -> str:
    named = config.get("architectures") or [config.get("model_type") or ""]
    return str(named[0])[:100]


def _described(config: dict[str, Any], counted: _Counted, template: bool, own_code: bool) -> Inspected:
    # Models that also see or hear keep the language part's sizes one level down.
    nested = config.get("text_config")
    text: dict[str, Any] = nested if isinstance(nested, dict) else config

    def size(*names: str) -> int:
        values = (text.get(name) for name in names)
        return next((value for value in values if isinstance(value, int)), 0)

    quantised = isinstance(config.get("quantization_config"), dict)
    # Two 4-bit values share a byte: what is stored as U8 counts twice.
    packed = (
        quantised and bool(config["quantization_config"].get("load_in_4bit")) and counted.precision == "U8"
    )
    return Inspected(
        architecture=_architecture(config) or "?",
        parameters=counted.parameters * (2 if packed else 1),
        bytes=counted.bytes,
        precision=counted.precision,
        hidden=size("hidden_size", "n_embd", "d_model"),
        layers=size("num_hidden_layers", "n_layer", "num_layers"),
        heads=size("num_attention_heads", "n_head"),
        intermediate=size("intermediate_size", "n_inner"),
        vocab=size("vocab_size"),
        max_length=size("max_position_embeddings", "n_positions"),
        tied=bool(config.get("tie_word_embeddings", text.get("tie_word_embeddings", False))),
        quantised=quantised,
        chat_template=template,
        own_code=own_code,
    )
