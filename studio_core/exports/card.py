"""The model card of an export: what it is, where it is from, and whether it answers as the original.

Written in English, as cards are read by everybody. It tells nothing of the data but its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import yaml

from studio_core.exports.manifest import Manifest
from studio_core.models.registry import Ancestor

_LIBRARIES = {
    "gguf": "gguf",
    "ollama": "gguf",
    "gguf_lora": "gguf",
    "adapter": "peft",
    "onnx": "onnx",
    "mlx": "mlx",
}
_UNSTATED = (
    "Not stated. State a licence before sharing this model, and respect those of its base and its data."
)


def card(manifest: Manifest, lineage: Sequence[Ancestor]) -> str:
    """The whole README.md. ``lineage``: the model itself first, down to its base."""
    return (
        "\n".join([*_head(manifest, lineage), *_parity(manifest), *_origin(lineage), *_files(manifest)])
        + "\n"
    )


def _head(manifest: Manifest, lineage: Sequence[Ancestor]) -> Iterator[str]:
    front: dict[str, object] = {
        "library_name": _LIBRARIES.get(manifest.format, "transformers"),
        "pipeline_tag": "text-generation",
        "tags": ["tunesmith", manifest.format],
    }
    base = lineage[-1].model
    # Where a model lies on this machine is nobody's business; names of the Hub are what the field is for.
    if "/" in base.source and not base.source.startswith(("/", ".", "~")) and "\\" not in base.source:
        relation = {"adapter": "adapter", "gguf_lora": "adapter", "merged": "finetune"}
        front |= {
            "base_model": base.source,
            "base_model_relation": relation.get(manifest.format, "quantized"),
        }
    yield "---"
    yield yaml.safe_dump(front, sort_keys=False, allow_unicode=True).rstrip()
    yield "---"
    yield ""
    yield f"# {_code(manifest.model)}"
    yield ""
    options = ", ".join(f"{name} {value}" for name, value in manifest.options.items() if value != "")
    yield f"Exported by Tunesmith as {manifest.format}{f' ({_code(options)})' if options else ''}."
    yield ""


def _parity(manifest: Manifest) -> Iterator[str]:
    yield "## Parity with the original"
    yield ""
    parity = manifest.parity
    if parity is None:
        yield "Not compared."
    else:
        yield (
            f"Same text for {parity.same_text} of {parity.prompts} prompts of the suite {_code(parity.suite)} "
            f"(95 %: {parity.low:.1%} to {parity.high:.1%}), greedy, up to {parity.max_tokens} tokens, answered by "
            f"{parity.answered_by}."
        )
    yield ""


def _origin(lineage: Sequence[Ancestor]) -> Iterator[str]:
    yield "## Lineage"
    yield ""
    for each in lineage:
        how = ", ".join(
            filter(None, ((each.method or "").upper(), f"data {each.dataset}" if each.dataset else ""))
        )
        yield f"- {_code(each.model.name)}{f': {_code(how)}' if how else ''}"
    yield ""
    yield "## Licence"
    yield ""
    yield _UNSTATED
    yield ""


def _files(manifest: Manifest) -> Iterator[str]:
    yield "## Files"
    yield ""
    yield "| file | bytes | SHA-256 |"
    yield "|---|---|---|"
    for name, file in manifest.files.items():
        yield f"| {_code(name)} | {file.size} | {_code(file.sha256)} |"


def _code(text: object) -> str:
    """As it is, whatever it holds: no Markdown of a name's, and no end of a cell."""
    plain = " ".join(str(text).replace("`", "'").replace("|", "/").split())
    return f"`{plain}`"
