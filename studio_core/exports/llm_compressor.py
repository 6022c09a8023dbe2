"""What AWQ and GPTQ share: four bits for groups of weights, chosen by what flows through them for rows of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from studio_core.base.errors import BadInput
from studio_core.exports.base import ExportOptions, Subject, unmergeable
from studio_core.options import option

LIBRARIES = ("llmcompressor", "compressed-tensors")
SIZES = (128, 64, 32)
"""Of groups that servers have kernels for, the best supported first."""


class CalibratedOptions(ExportOptions):
    dataset: str = option("", choices_of="datasets", advanced=False)
    # Both papers take 128 texts; more gain little.
    rows: int = option(128, at_least=8, at_most=4096, unit="rows", advanced=False)
    max_length: int = option(2048, at_least=16, at_most=32_768, unit="tokens")
    group_size: Literal["auto", "128", "64", "32"] = option("auto")


def group_size(config: Mapping[str, Any], options: CalibratedOptions) -> int | None:
    """Weights that share a scale: those asked for, or the largest size that divides every row; None if none does."""
    asked = SIZES if options.group_size == "auto" else (int(options.group_size),)
    return next((size for size in asked if not any(width % size for width in _widths(config))), None)


def against(subject: Subject, options: CalibratedOptions) -> list[BadInput]:
    problems = unmergeable(subject)
    if group_size(subject.config, options) is None:
        widths = ", ".join(map(str, _widths(subject.config)))
        values = {"model": subject.name, "widths": widths, "size": options.group_size}
        fits = group_size(subject.config, CalibratedOptions())
        key = "model_exports.group_size" if fits else "model_exports.no_group_size"
        problems.append(BadInput(key, instead=fits or "gguf", **values))
    return problems


def _widths(config: Mapping[str, Any]) -> list[int]:
    """Of rows of linear layers."""
    given = (config.get(name) for name in ("hidden_size", "intermediate_size"))
    return [width for width in given if isinstance(width, int)]
