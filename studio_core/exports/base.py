"""What a format is: its options, what it can carry, and how its result is compared with the original.

Texts are ``model_exports.<format>`` and ``....help``; those of an option ``model_exports.<format>.<option>``, or
``options.<option>`` where several formats share it. Workers import this: no database here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from studio_core.base.errors import BadInput
from studio_core.models.inspect import architecture, read_json
from studio_core.options import Part
from studio_core.runs.spec import ResolvedModel

MERGEABLE = ("LORA", "ADALORA", "IA3", "OFT", "VERA", "LN_TUNING")
"""PEFT's names of the kinds of adapters whose change can be added to the weights of the base."""


class ExportOptions(BaseModel):
    """Field order is form order. Fields are made by ``studio_core.options.option``."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Subject:
    """A model as a format looks at it, from its files alone."""

    name: str
    folder: Path
    """Of the complete model; an adapter's base."""
    adapter: Path | None = None
    config: dict[str, Any] = field(default_factory=dict)
    """``config.json`` of the complete model."""
    adapter_config: dict[str, Any] = field(default_factory=dict)
    """``adapter_config.json``; empty for a complete model."""

    @classmethod
    def of(cls, model: ResolvedModel) -> Subject:
        folder, adapter = Path(model.path), Path(model.adapter) if model.adapter else None
        adapter_config = read_json(adapter / "adapter_config.json") if adapter else {}
        return cls(model.name, folder, adapter, read_json(folder / "config.json"), adapter_config)

    @property
    def architecture(self) -> str:
        return architecture(self.folder) or "?"

    @property
    def tokens(self) -> Path:
        """The folder whose tokenizer counts: an adapter may bring one of its own."""
        own = self.adapter is not None and (self.adapter / "tokenizer.json").is_file()
        return self.adapter if own and self.adapter else self.folder


def nothing(*_: Any) -> list[BadInput]:
    return []


@dataclass(frozen=True)
class Format(Part):
    name: str
    Options: type[ExportOptions]
    answers_by: Literal["transformers", "llama.cpp", "onnxruntime", "mlx-lm", ""]
    """What runs the result when it is compared with the original; empty: nothing here does."""
    against: Callable[[Subject, Any], Sequence[BadInput]] = nothing
    """``(subject, options)`` -> why this model cannot be carried, the first reason first."""
    missing: Callable[[Any], BadInput | None] = lambda options: None
    """``(options)`` -> which program it needs that is not on this machine."""
    libraries: tuple[str, ...] = ()
    """What its tool is called where packages are installed from; the manifest tells the versions."""

    @property
    def title_key(self) -> str:
        return f"model_exports.{self.name}"

    def problems(self, subject: Subject, options: Any) -> list[BadInput]:
        lacking = self.missing(options)
        return [*self.against(subject, options), *([lacking] if lacking else [])]


def unmergeable(subject: Subject) -> list[BadInput]:
    """Why no complete model in plain numbers can be written of it."""
    values = {"model": subject.name}
    if isinstance(subject.config.get("quantization_config"), dict):
        method = subject.config["quantization_config"].get("quant_method") or "4-bit"
        return [BadInput("model_exports.quantised_base", base=subject.folder.name, method=method, **values)]
    kind = subject.adapter_config.get("peft_type")
    if subject.adapter is not None and kind not in MERGEABLE:
        return [BadInput("model_exports.unmergeable", kind=str(kind)[:40], **values)]
    return []


def no_adapter(subject: Subject) -> list[BadInput]:
    return [] if subject.adapter else [BadInput("model_exports.no_adapter", model=subject.name)]
