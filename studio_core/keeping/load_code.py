"""Python that loads a model outside the studio, by the libraries that its files are for."""

from __future__ import annotations

from pathlib import Path

from studio_core.base.atomic import read_json
from studio_core.base.studio import Studio
from studio_core.base.tables import Model
from studio_core.models import registry
from studio_core.tunings.bottleneck import BOTTLENECK

_ADAPTER_CONFIG = "adapter_config.json"


def python(studio: Studio, model: Model) -> str | None:
    """For transformers, and PEFT if it is an adapter; None for one that no library but the studio can load."""
    adapter = model.path if model.kind == "adapter" else None
    if adapter is not None and _peft_type(Path(adapter)) == BOTTLENECK.adapter:
        return None
    base = registry.complete_below(studio, model)
    kind = "ForSequenceClassification" if registry.scores(model) else "ForCausalLM"
    given = [repr(base.path)]
    if base.trust_remote_code:
        given.append("trust_remote_code=True")
    lines = [
        *(["from peft import PeftModel"] if adapter else []),
        f"from transformers import AutoModel{kind}, AutoTokenizer",
        "",
        f"model = AutoModel{kind}.from_pretrained({', '.join(given)})",
        *([f"model = PeftModel.from_pretrained(model, {adapter!r})"] if adapter else []),
        f"tokenizer = AutoTokenizer.from_pretrained({model.path!r})",
    ]
    return "\n".join(lines)


def _peft_type(folder: Path) -> str:
    try:
        return str((read_json(folder / _ADAPTER_CONFIG) or {}).get("peft_type", ""))
    except ValueError:  # A damaged file is told by whoever loads it.
        return ""
