"""QLoRA (Dettmers et al. 2023, arXiv:2305.14314): LoRA beside a base model whose weights are held in 4 bits."""

from __future__ import annotations

import importlib.util

from studio_core.base.errors import BadInput
from studio_core.models.size import ModelSize
from studio_core.tunings.base import Case, Tuning
from studio_core.tunings.lora import LoraOptions, of_shards, trained


def frozen(size: ModelSize, width: int) -> int:
    """0.55 bytes a weight: NF4 with double quantisation (4 bits, 8 bits for 64 weights, 32 for 256 of those) and
    buffers; embeddings stay in 16 bits."""
    return int(0.55 * (size.parameters - size.embeddings)) + 2 * size.embeddings


def against(case: Case) -> list[BadInput]:
    found = of_shards(case)
    if case.quantised:
        found.append(BadInput("tunings.quantised_twice", model=case.model))
    if case.gpus > 1 and case.parallel != "ddp":
        found.append(BadInput("tunings.qlora_in_shards", parallel=case.parallel))
    return found


def missing() -> BadInput | None:
    if importlib.util.find_spec("bitsandbytes") is None:
        return BadInput("tunings.no_four_bit")
    return None


QLORA = Tuning(
    name="qlora",
    Options=LoraOptions,
    whole=False,
    family="low_rank",
    trained=trained,
    frozen=frozen,
    against=against,
    adapter="LORA",
    mixes=True,
    spares=True,
    missing=missing,
    instead="lora",
)
