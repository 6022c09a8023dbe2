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

from studio_core.base.errors import BadInput
from studio_core.base.files import open_below, real_below
from studio_core.sandbox import sandboxed

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
# Looked for only to say what is wrong: they are never opened.
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")

_MB = 1 << 20
LIMITS = {
    "config.json": 4 * _MB,
    "tokenizer.json": 64 * _MB,
    "tokenizer_config.json": 16 * _MB,
    "special_tokens_map.json": 4 * _MB,
    "chat_template.json": _MB,
    "chat_template.jinja": _MB,
    "adapter_config.json": 4 * _MB,
    INDEX: 64 * _MB,
}
"""Bytes that a file of a model may have: the largest known ones are below a third (tokenizer.json, of
262,000 tokens, 33 MB: half)."""
DEPTH = 64
"""Lists and objects in each other, in a file of JSON; of known ones, 8."""
LARGEST = 1 << 40
"""Of a size that a configuration or a tensor's shape names."""

# A header names tensors only; the largest known is below 10 MB.
_HEADER_LIMIT = 100 * _MB
# Weights have two, convolutions four; more is no tensor of a model.
_DIMENSIONS = 16


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
    key_values: int
    """Width of the keys of a layer, and of its values; 0 where the configuration does not say it."""
    chat_template: bool
    own_code: bool
    """Whether it asks for Python code of its own to be run (``auto_map``)."""

    def details(self) -> dict[str, Any]:
        return asdict(self)


@sandboxed
def inspect(folder: Path, *, trust_remote_code: bool = False) -> Inspected:
    """What is in the folder of a complete model; raises ``BadInput`` with the first thing that is wrong.

    ``folder`` is resolved; files that are links to somewhere else are refused, see ``files.open_below``.
    """
    if not folder.is_dir():
        raise BadInput("models.no_folder", path=folder)
    require_own_files(folder)
    if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        base = read_json(folder / "adapter_config.json").get("base_model_name_or_path") or "?"
        raise BadInput("models.only_adapter", path=folder, base=base)
    if not (folder / "config.json").is_file():
        raise BadInput("models.no_config", path=folder)
    config = read_json(folder / "config.json")
    weights = _weight_files(folder)
    # From the cheap questions to the dear ones: the weights' headers are read last.
    _require_tokenizer(folder)
    own_code = "auto_map" in config or "auto_map" in read_json(folder / "tokenizer_config.json")
    if own_code and not trust_remote_code:
        raise BadInput("models.remote_code", path=folder)
    parameters, size, precision = _count(weights)
    template = chat_template(folder) is not None
    return described(config, parameters, size, precision, template=template, own_code=own_code)


@sandboxed
def chat_template(folder: Path) -> str | None:
    """The model's own chat template, from any of the places where one may stand."""
    single = folder / "chat_template.jinja"
    if single.is_file():
        return read(single).decode("utf-8", errors="replace")
    for name in ("tokenizer_config.json", "chat_template.json"):
        if template := template_in(read_json(folder / name)):
            return template
    return None


def template_in(document: dict[str, Any]) -> str | None:
    """The chat template that a tokenizer's configuration has in it."""
    template = document.get("chat_template")
    if isinstance(template, list):
        # Several templates by name: the others are for tools and for retrieval.
        named = {str(t.get("name")): t.get("template") for t in template if isinstance(t, dict)}
        template = named.get("default")
    return template if isinstance(template, str) and template.strip() else None


def tensors(path: Path) -> dict[str, dict[str, Any]]:
    """The header of a safetensors file: ``{tensor: {"dtype", "shape", "data_offsets"}}``.

    Raises ``BadInput`` if the file is not one, or is shorter than its header says.
    """
    size = path.stat().st_size
    try:
        with open_below(path.parent, path.name) as file:
            (length,) = struct.unpack("<Q", file.read(8))
            # Before anything of that length is read into memory.
            if length > min(size, _HEADER_LIMIT):
                raise ValueError
            header: dict[str, Any] = json.loads(file.read(length))
        header.pop("__metadata__", None)
        end = max((_tensor_end(entry) for entry in header.values()), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, struct.error) as error:
        raise BadInput("models.not_safetensors", path=path) from error
    # A download that broke off is told now, and not in the middle of a run.
    if size < 8 + length + end:
        raise BadInput("models.cut_off", path=path, size=size, expected=8 + length + end)
    return header


def _tensor_end(entry: dict[str, Any]) -> int:
    """The byte of the data at which a tensor ends; raises ``ValueError`` for what no tensor is."""
    start, end = entry["data_offsets"]
    shape, kind = entry["shape"], entry["dtype"]
    sizes = [start, end, *shape]
    if len(shape) > _DIMENSIONS or not all(type(size) is int and 0 <= size < LARGEST for size in sizes):
        raise ValueError("a size is none")
    # Of the narrowest type that there is, eight values share a byte.
    if not isinstance(kind, str) or len(kind) > 16 or prod(shape) > 8 * (end - start):
        raise ValueError("more values than bytes")
    return int(end)


def shapes(folder: Path) -> dict[str, list[int]]:
    """Every tensor of a complete model with its shape; raises ``BadInput`` as ``inspect`` does."""
    files = _weight_files(folder)
    return {name: entry["shape"] for file in files for name, entry in tensors(file).items()}


def read(path: Path, limit: int = 0) -> bytes:
    """A small file of a model's folder; refused above its limit, or the one that is given."""
    limit = limit or LIMITS[path.name]
    with open_below(path.parent, path.name) as file:
        # One byte more than is allowed, since the size that the file system
        # tells may change before the reading.
        content = file.read(limit + 1)
    if len(content) > limit:
        raise BadInput("models.too_large", path=path, limit=limit >> 20)
    return content


def read_json(path: Path, limit: int = 0) -> dict[str, Any]:
    """What is in a file of JSON, which has to be an object and not nested beyond all sense; ``{}`` if there is none."""
    if not path.is_file():
        return {}
    try:
        document = json.loads(read(path, limit))
        if not isinstance(document, dict):
            raise ValueError("not an object")
        # What walks through such a document later does so by recursion.
        if _deeper(document, DEPTH):
            raise ValueError(f"more than {DEPTH} lists and objects in each other")
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput("models.bad_json", path=path, reason=error) from error
    return document


def _deeper(document: Any, limit: int) -> bool:
    """Whether lists and objects stand in each other more than ``limit`` deep."""
    level = [document]
    for _ in range(limit):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _weight_files(folder: Path) -> list[Path]:
    if (folder / INDEX).is_file():
        shards = read_json(folder / INDEX).get("weight_map")
        names = {str(name) for name in shards.values()} if isinstance(shards, dict) else set()
        # A name with a slash would lead out of the folder.
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
        read_json(folder / "tokenizer.json")
        return
    # What is read in the helper is a fast tokenizer; converting the other
    # kind needs libraries that run their own code.
    if (folder / "tokenizer.model").is_file():
        raise BadInput("models.slow_tokenizer", path=folder)
    raise BadInput("models.no_tokenizer", path=folder)


def require_own_files(folder: Path) -> None:
    """Before any file is read, by the studio or by a program that loads the model: none leads to somewhere else."""
    for file in sorted(folder.iterdir()):
        if file.is_symlink() and not file.is_dir():
            real_below(folder, file.name)


def _count(files: Sequence[Path]) -> tuple[int, int, str]:
    """Values, bytes, and the type of most of the values."""
    by_type: dict[str, int] = {}
    for file in files:
        # By values and not by tensors: a model in 4 bit keeps its norms in 16.
        for entry in tensors(file).values():
            by_type[entry["dtype"]] = by_type.get(entry["dtype"], 0) + prod(entry["shape"])
    precision = max(by_type, key=lambda kind: by_type[kind], default="")
    return sum(by_type.values()), sum(file.stat().st_size for file in files), precision


@sandboxed
def architecture(folder: Path) -> str:
    """The class that the model was saved from; empty if its folder does not say."""
    return _architecture(read_json(folder / "config.json"))


def _architecture(config: dict[str, Any]) -> str:
    named = config.get("architectures")
    first = named[0] if isinstance(named, list) and named else config.get("model_type")
    return first[:100] if isinstance(first, str) else ""


def described(
    config: dict[str, Any], parameters: int, bytes: int, precision: str, *, template: bool, own_code: bool
) -> Inspected:
    """What a configuration says of a model whose weights have so many values, bytes, and this type."""
    # Models that also see or hear keep the language part's sizes one level down.
    nested = config.get("text_config")
    text: dict[str, Any] = nested if isinstance(nested, dict) else config

    def size(*names: str) -> int:
        value: int = next((text[name] for name in names if type(text.get(name)) is int), 0)
        if not 0 <= value < LARGEST:
            # 40 digits show what was meant.
            raise BadInput("models.bad_size", name=names[0], value=str(value)[:40])
        return value

    quantised = isinstance(config.get("quantization_config"), dict)
    # Two 4-bit values share a byte: what is stored as U8 counts twice.
    packed = quantised and bool(config["quantization_config"].get("load_in_4bit")) and precision == "U8"
    return Inspected(
        architecture=_architecture(config) or "?",
        parameters=parameters * (2 if packed else 1),
        bytes=bytes,
        precision=precision,
        hidden=size("hidden_size", "n_embd", "d_model"),
        layers=size("num_hidden_layers", "n_layer", "num_layers"),
        heads=size("num_attention_heads", "n_head"),
        intermediate=size("intermediate_size", "n_inner"),
        vocab=size("vocab_size"),
        max_length=size("max_position_embeddings", "n_positions"),
        tied=bool(config.get("tie_word_embeddings", text.get("tie_word_embeddings", False))),
        quantised=quantised,
        key_values=size("num_key_value_heads") * size("head_dim"),
        chat_template=template,
        own_code=own_code,
    )
