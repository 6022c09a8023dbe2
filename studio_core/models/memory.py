"""How much memory a training needs: one formula for the plan and for the worker that carries it out.

A sum of six parts (``Memory``). Rules of thumb, said as "about".
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from studio_core import tunings
from studio_core.methods.base import Method
from studio_core.methods.common import TrainingOptions
from studio_core.models.size import ModelSize

# A worker with torch, transformers, trl and peft imported, before it loads anything (measured).
RUNTIME = {"cpu": 1150 << 20, "gpu": 900 << 20}

FULL = 0.9
"""Share of the memory above which activations are computed twice: what is computed here may be a tenth too little."""


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak of a training, by what they hold."""

    weights: int
    gradients: int
    optimiser: int
    activations: int
    logits: int
    runtime: int
    checkpointing: bool = False
    """Whether activations are computed twice (gradient checkpointing)."""
    correction: float = 1.0
    """What earlier runs really used, as a multiple of what was computed for them."""

    @property
    def computed(self) -> int:
        parts = (self.weights, self.gradients, self.optimiser, self.activations, self.logits, self.runtime)
        return sum(parts)

    @property
    def total(self) -> int:
        return round(self.computed * self.correction)


def memory(
    size: ModelSize,
    *,
    tuning: str,
    sequences: int,
    length: int,
    device: str,
    options: BaseModel | None = None,
    reference: bool = False,
    writes: bool = True,
    checkpointing: bool = False,
    gpus: int = 1,
    parallel: str = "ddp",
) -> Memory:
    """Memory of one step of ``sequences`` sequences padded to ``length`` tokens, on each of the GPUs.

    ``options`` are those of the run; of a tuning whose options they are not, its defaults count.

    - weights: 4 bytes a trained parameter (AdamW needs full precision to add up small changes), twice if all are
      trained and a frozen reference model is kept; what the tuning says of those that are frozen
    - gradients: 4 bytes, and optimiser: 8 bytes (AdamW's two moments), a trained parameter
    - activations, a token and layer: 8 hidden + 4 feed-forward values kept for the backward
      pass (2 bytes on a GPU, 4 on a CPU) and two norms in full precision; with checkpointing
      one hidden value a layer, and one whole layer at a time (after Korthikanti et al. 2022)
    - logits: 12 bytes for each token and vocabulary entry on a CPU (logits, their gradient and
      the softmax); on a GPU they are made in blocks of at most 4,096 tokens; a model that scores has none
    - on several GPUs: ddp keeps the gradients twice (they are sent in buckets), deepspeed parts
      gradients and optimiser among them, fsdp the weights as well, but for two layers at a time
    """
    way = tunings.named(tuning)
    trained = way.trained(size, options if isinstance(options, way.Options) else way.Options())
    width = 2 if device == "gpu" else 4
    weights = way.frozen(size, width) + 4 * trained * (2 if reference and way.whole else 1)
    tokens = sequences * length
    layer = width * (8 * size.hidden + 4 * size.intermediate) + 2 * 4 * size.hidden
    kept = width * size.hidden * size.layers + layer if checkpointing else layer * size.layers
    together = min(tokens, 4096) if device == "gpu" else tokens
    gradients, optimiser = 4 * trained, 8 * trained
    if gpus > 1 and parallel == "ddp":
        gradients *= 2
    elif gpus > 1:
        gradients, optimiser = gradients // gpus, optimiser // gpus
        if parallel == "fsdp":
            weights = weights // gpus + 2 * weights // max(1, size.layers)
    return Memory(
        weights=weights,
        gradients=gradients,
        optimiser=optimiser,
        activations=tokens * kept,
        logits=12 * together * size.vocab if writes else 0,
        runtime=RUNTIME[device],
        checkpointing=checkpointing,
    )


def of_run(
    size: ModelSize,
    method: Method,
    options: TrainingOptions,
    *,
    tuning: str,
    batch_size: int,
    longest: int,
    device: str,
    available: int,
    gpus: int = 1,
    parallel: str = "ddp",
) -> Memory:
    """Memory of a run whose longest sequence has ``longest`` tokens.

    Where its option says ``auto``, with gradient checkpointing if it would else fill the ``available`` bytes
    (0: not known). That costs about a third more time, so it is not done without need.
    """

    def needed(checkpointing: bool) -> Memory:
        return memory(
            size,
            tuning=tuning,
            sequences=batch_size * method.sequences,
            length=longest,
            device=device,
            options=options,
            reference=method.reference,
            writes=method.writes,
            checkpointing=checkpointing,
            gpus=gpus,
            parallel=parallel,
        )

    asked = options.activation_checkpointing
    plain = needed(asked == "on")
    fits = not available or plain.computed <= FULL * available
    return plain if asked != "auto" or fits else needed(True)
