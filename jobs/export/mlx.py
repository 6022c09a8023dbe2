"""A model in MLX's form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlx.core
import mlx_lm
from mlx_lm.generate import generate_step

from jobs.export import merged
from jobs.export.answering import Answers, Original, Work, by_tokens
from studio_core.models.inspect import require_own_files

_GROUP = 64
"""Weights that share a scale: what mlx-lm takes unless it is told otherwise."""
_CARD = "README.md"


def write(work: Work, folder: Path) -> dict[str, Any]:
    bits = work.options.bits
    quantised = {"quantize": True, "q_bits": int(bits), "q_group_size": _GROUP} if bits != "stored" else {}
    with TemporaryDirectory(dir=folder, prefix=".") as place:
        source, target = Path(work.run.model.path), Path(place) / "mlx"
        require_own_files(source)
        if work.run.model.adapter:
            source = Path(place) / "merged"
            source.mkdir()
            merged.save(work, source, "stored")
        mlx_lm.convert(str(source), str(target), **quantised)
        for file in sorted(target.iterdir()):
            if file.name != _CARD:
                file.rename(folder / file.name)
    return {"group_size": _GROUP} if quantised else {}


def answers(work: Work, folder: Path, original: Original) -> Answers:
    model, _ = mlx_lm.load(str(folder))

    def next_tokens(prompt: list[int]) -> Iterator[int]:
        for token, _ in generate_step(mlx.core.array(prompt), model, max_tokens=-1):
            yield int(token)

    return by_tokens(work, folder, original, next_tokens, f"mlx-lm {mlx_lm.__version__}")
