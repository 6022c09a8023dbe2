"""How much memory a training needs: one formula for the plan and for the worker that carries it out.

A sum of six parts (``Memory``). Rules of thumb, said as "about".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from studio_core import tunings
from studio_core.methods.base import Method
from studio_core.methods.common import TrainingOptions
from studio_core.methods.roles import Role
from studio_core.models.size import ModelSize
from studio_core.runs.spec import RoleName
from studio_core.tunings.base import Tuning

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
    models: Mapping[Role, ModelSize],
    *,
    tuning: str,
    rows: int,
    length: int,
    device: str,
    options: BaseModel | None = None,
    checkpointing: bool = False,
    gpus: int = 1,
    parallel: str = "ddp",
) -> Memory:
    """Memory of one step of ``rows`` rows padded to ``length`` tokens, on each of the GPUs: the sum over all roles.

    ``options`` are those of the run; of a tuning whose options they are not, its defaults count.

    - weights: 4 bytes a trained parameter (AdamW needs full precision to add up small changes) and one of a complete
      model, what the tuning says of others that are frozen; 4 bytes a parameter of a copy of what is trained whole;
      of other models that do not learn 2 bytes a parameter on a GPU, 4 on a CPU
    - gradients: 4 bytes, and optimiser: 8 bytes (AdamW's two moments), a trained parameter
    - activations, a token and layer of what learns: 8 hidden + 4 feed-forward values kept for the
      backward pass (2 bytes on a GPU, 4 on a CPU) and two norms in full precision; with checkpointing
      one hidden value a layer, and one whole layer at a time (after Korthikanti et al. 2022)
    - logits: 12 bytes for each token and vocabulary entry on a CPU (logits, their gradient and
      the softmax); on a GPU they are made in blocks of at most 4,096 tokens; a model that scores has none
    - on several GPUs: ddp keeps the gradients twice (they are sent in buckets), deepspeed parts
      gradients and optimiser among them, fsdp the weights as well, but for two layers at a time
    """
    way, width = tunings.named(tuning), 2 if device == "gpu" else 4
    weights = gradients = optimiser = activations = logits = 0
    for role, size in models.items():
        trained = way.trained(size, options if isinstance(options, way.Options) else way.Options())
        own = _weights(role, size, way, trained, width)
        # In shards a GPU has its part, and all of the layer at work and of the next one that is fetched meanwhile.
        if gpus > 1 and parallel == "fsdp":
            own = own // gpus + 2 * own // max(1, size.layers)
        weights += own
        if not role.learns:
            continue
        # DDP keeps everything whole on each GPU; the others part what belongs to the trained weights.
        shards = gpus if gpus > 1 and parallel != "ddp" else 1
        gradients += 4 * trained * (2 if gpus > 1 and parallel == "ddp" else 1) // shards
        optimiser += 8 * trained // shards
        tokens = rows * role.sequences * length
        layer = width * (8 * size.hidden + 4 * size.intermediate) + 2 * 4 * size.hidden
        kept = width * size.hidden * size.layers + layer if checkpointing else layer * size.layers
        activations += tokens * kept
        # On a GPU the head works through blocks of 4,096 tokens; on a CPU it makes all logits at once.
        together = min(tokens, 4096) if device == "gpu" else tokens
        logits += 12 * together * size.vocab if role.output == "words" else 0
    return Memory(weights, gradients, optimiser, activations, logits, RUNTIME[device], checkpointing)


def _weights(role: Role, size: ModelSize, way: Tuning, trained: int, width: int) -> int:
    """Bytes of the weights of one model."""
    if role.learns:
        return 4 * size.parameters if way.whole else way.frozen(size, width) + 4 * trained
    if role.begins_as:
        return 4 * size.parameters if way.whole else 0
    return width * size.parameters


def sizes_by_role(
    method: Method, policy: ModelSize, others: Mapping[RoleName, ModelSize]
) -> dict[Role, ModelSize]:
    """The models of a run: a role without a model of its own has the one that learns, as it is or as it was."""
    return {role: others.get(role.name, policy) for role in method.roles}


def of_run(
    models: Mapping[Role, ModelSize],
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
            models,
            tuning=tuning,
            rows=batch_size,
            length=longest,
            device=device,
            options=options,
            checkpointing=checkpointing,
            gpus=gpus,
            parallel=parallel,
        )

    asked = options.activation_checkpointing
    plain = needed(asked == "on")
    fits = not available or plain.computed <= FULL * available
    return plain if asked != "auto" or fits or not tunings.named(tuning).checkpoints else needed(True)
