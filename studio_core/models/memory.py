"""How much memory a training needs: one formula for the plan and for the worker that carries it out.

A sum of six parts (``Memory``). Rules of thumb, said as "about".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from studio_core.methods.base import Method
from studio_core.methods.common import TrainingOptions

# A worker with torch, transformers, trl and peft imported, before it loads anything (measured).
RUNTIME = {"cpu": 1150 << 20, "gpu": 900 << 20}

FULL = 0.9
"""Share of the memory above which activations are computed twice: what is computed here may be a tenth too little."""


@dataclass(frozen=True)
class ModelSize:
    """The numbers of a model that estimates need."""

    parameters: int
    hidden: int
    layers: int
    vocab: int
    intermediate: int
    tied: bool

    @classmethod
    def of(cls, parameters: int, details: dict[str, Any]) -> ModelSize:
        """From a model's row; sizes that its configuration did not name are guessed from its parameters."""
        hidden = int(details.get("hidden") or max(64, round((parameters / 300) ** 0.5)))
        layers = int(details.get("layers") or max(1, round(parameters / (12 * hidden * hidden))))
        return cls(
            parameters=parameters,
            hidden=hidden,
            layers=layers,
            vocab=int(details.get("vocab") or 32_000),
            intermediate=int(details.get("intermediate") or 4 * hidden),
            tied=bool(details.get("tied")),
        )

    def adapter_parameters(self, rank: int) -> int:
        """Of LoRA on every linear layer: rank x (inputs + outputs); an upper bound for shared key heads."""
        attention = 4 * 2 * self.hidden
        feed_forward = 3 * (self.hidden + self.intermediate)
        return self.layers * rank * (attention + feed_forward)

    @property
    def multiplied(self) -> int:
        """Parameters that each token is multiplied with: all but an embedding that is only looked up."""
        return self.parameters - (0 if self.tied else self.vocab * self.hidden)


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
    rank: int = 16,
    reference: bool = False,
    writes: bool = True,
    checkpointing: bool = False,
    gpus: int = 1,
    parallel: str = "ddp",
) -> Memory:
    """Memory of one step of ``sequences`` sequences padded to ``length`` tokens, on each of the GPUs.

    - weights: 4 bytes a parameter when all are trained (AdamW needs full precision to add up
      small changes), 2 under an adapter on a GPU (4 on a CPU), 0.55 in 4 bit (NF4 with double
      quantisation; embeddings stay in 16 bit); twice if a frozen reference model is kept
    - gradients: 4 bytes, and optimiser: 8 bytes (AdamW's two moments), a trained parameter
    - activations, a token and layer: 8 hidden + 4 feed-forward values kept for the backward
      pass (2 bytes on a GPU, 4 on a CPU) and two norms in full precision; with checkpointing
      one hidden value a layer, and one whole layer at a time (after Korthikanti et al. 2022)
    - logits: 12 bytes for each token and vocabulary entry on a CPU (logits, their gradient and
      the softmax); on a GPU they are made in blocks of at most 4,096 tokens; a model that scores has none
    - on several GPUs: ddp keeps the gradients twice (they are sent in buckets), deepspeed parts
      gradients and optimiser among them, fsdp the weights as well, but for two layers at a time
    """
    trained = size.parameters if tuning == "full" else size.adapter_parameters(rank)
    width = 2 if device == "gpu" else 4
    if tuning == "full":
        weights = 4 * size.parameters * (2 if reference else 1)
    elif tuning == "qlora":
        embeddings = size.vocab * size.hidden * (1 if size.tied else 2)
        weights = int(0.55 * max(0, size.parameters - embeddings)) + 2 * min(embeddings, size.parameters)
    else:
        weights = width * size.parameters
    tokens = sequences * length
    layer = width * (8 * size.hidden + 4 * size.intermediate) + 2 * 4 * size.hidden
    kept = width * size.hidden * size.layers + layer if checkpointing else layer * size.layers
    together = min(tokens, 4096) if device == "gpu" else tokens
    weights += 4 * trained if tuning != "full" else 0
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
            rank=options.lora_rank,
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
