"""How much memory a training needs: one formula for the plan and for the worker that carries it out.

A sum of six parts (``Memory``). Rules of thumb, said as "about".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from pydantic import BaseModel

from studio_core import tunings
from studio_core.methods.base import Method
from studio_core.methods.common import TrainingOptions
from studio_core.methods.roles import Role
from studio_core.models.size import ModelSize
from studio_core.runs.spec import RoleName
from studio_core.tunings.base import Tuning

RUNTIME = {"cpu": 650 << 20, "gpu": 900 << 20}
"""A worker with torch, transformers, trl and peft, its data and its heap, before there is a model (measured)."""

_GAPS = {"whole": 120, "beside": 185}
"""On a CPU the heap holds so many per cent of what the activations take: it keeps gaps between what is freed and what
stays. With an adapter small results stand between the large ones, and the gaps are more (measured; docs/memory.md)."""

FULL = 0.9
"""Share of the memory above which activations are computed twice: what is computed here may be a tenth too little."""


@dataclass(frozen=True)
class Share:
    """Bytes that the model of one role takes, by what they hold."""

    weights: int = 0
    gradients: int = 0
    optimiser: int = 0
    activations: int = 0
    logits: int = 0

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimiser + self.activations + self.logits


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak of a training, by role and by what they hold."""

    roles: Mapping[RoleName, Share]
    runtime: int
    checkpointing: bool = False
    """Whether activations are computed twice (gradient checkpointing)."""
    correction: float = 1.0
    """What earlier runs really used, as a multiple of what was computed for them."""

    @property
    def parts(self) -> dict[str, int]:
        """The sum over all roles of each part, and what the libraries take before anything is loaded."""
        parts = {part.name: self._of(part.name) for part in fields(Share)}
        return {**parts, "runtime": self.runtime}

    @property
    def weights(self) -> int:
        return self._of("weights")

    @property
    def gradients(self) -> int:
        return self._of("gradients")

    @property
    def optimiser(self) -> int:
        return self._of("optimiser")

    @property
    def activations(self) -> int:
        return self._of("activations")

    @property
    def logits(self) -> int:
        return self._of("logits")

    @property
    def computed(self) -> int:
        return sum(share.total for share in self.roles.values()) + self.runtime

    @property
    def total(self) -> int:
        return round(self.computed * self.correction)

    def _of(self, part: str) -> int:
        return sum(getattr(share, part) for share in self.roles.values())


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
    - gradients: 4 bytes, and optimiser: 8 bytes (AdamW's two moments) a trained parameter; less in 8 bits and factored
    - activations, a token and layer of what learns: 8 hidden + 4 feed-forward values kept for the
      backward pass (2 bytes on a GPU, 4 on a CPU) and two norms in full precision; where attention is eager also one
      value for each head and token that may be looked at; with checkpointing
      one hidden value a layer, and one whole layer at a time (after Korthikanti et al. 2022); on a CPU with the gaps
      that its heap keeps between them
    - logits: 12 bytes for each token and vocabulary entry on a CPU (logits, their gradient and
      the softmax); on a GPU they are made in blocks of at most 4,096 tokens; a model that scores has none; on a CPU
      also what a ``Comparison`` says of a teacher, or of a reference
    - on several GPUs: ddp keeps the gradients twice (they are sent in buckets), deepspeed parts
      gradients and optimiser among them, fsdp the weights as well, but for two layers at a time
    """
    case = _Case(rows, length, device, options, checkpointing, gpus, parallel)
    shares = {role.name: _share(role, size, tunings.named(tuning), case) for role, size in models.items()}
    return Memory(shares, RUNTIME[device], checkpointing)


@dataclass(frozen=True)
class _Case:
    """What the models of a run have in common."""

    rows: int
    length: int
    device: str
    options: BaseModel | None
    checkpointing: bool
    gpus: int
    parallel: str


def _share(role: Role, size: ModelSize, way: Tuning, case: _Case) -> Share:
    """Bytes that the model of one role takes on each GPU."""
    width = 2 if case.device == "gpu" else 4
    given = case.options if isinstance(case.options, way.Options) else way.Options()
    trained = way.trained(size, given)
    weights = _weights(role, size, way, trained, width)
    # In shards a GPU has its part, and all of the layer at work and of the next one that is fetched meanwhile.
    if case.gpus > 1 and case.parallel == "fsdp":
        weights = weights // case.gpus + 2 * weights // max(1, size.layers)
    if not role.learns:
        return Share(weights, logits=_compared(role, size, case))
    # DDP keeps everything whole on each GPU; the others part what belongs to the trained weights.
    shards = case.gpus if case.gpus > 1 and case.parallel != "ddp" else 1
    twice = 2 if case.gpus > 1 and case.parallel == "ddp" else 1
    tokens = case.rows * role.sequences * (case.length + way.added(given))
    layer = width * (8 * size.hidden + 4 * size.intermediate) + 2 * 4 * size.hidden
    if role.eager:
        layer += (
            width * case.length * (size.heads or max(1, size.hidden // 64))
        )  # Most heads are 64 wide or wider.
    kept = width * size.hidden * size.layers + layer if case.checkpointing else layer * size.layers
    gaps = _GAPS["whole" if way.whole else "beside"] if case.device == "cpu" else 100
    # On a GPU the head works through blocks of 4,096 tokens; on a CPU it makes all logits at once.
    together = min(tokens, 4096) if case.device == "gpu" else tokens
    return Share(
        weights,
        gradients=4 * trained * twice // shards,
        optimiser=_moments(way, size, trained, case) // shards,
        activations=0 if role.in_turn else tokens * (kept * gaps // 100),
        logits=12 * together * size.vocab if role.output == "words" else 0,
    )


def _compared(role: Role, size: ModelSize, case: _Case) -> int:
    """Bytes while the distributions of a model are compared with those of the one that learns."""
    if role.comparison is None or case.device == "gpu":
        return 0
    entries = case.rows * case.length * size.vocab
    return role.comparison.each * min(entries, role.comparison.at_once or entries)


def _moments(way: Tuning, size: ModelSize, trained: int, case: _Case) -> int:
    """Bytes that the optimiser keeps of what learns."""
    match getattr(case.options, "optimizer", "adamw"):
        case "adamw_8bit":
            # A byte for each of two moments, 8 bytes a block of 256; embeddings in 32 bits, as its authors advise.
            embeddings = min(size.embeddings, trained) if way.whole else 0
            return int((2 + 8 / 256) * (trained - embeddings)) + 8 * embeddings
        case "adafactor":
            # A number for each row and each column in place of one for each weight (Shazeer and Stern 2018).
            return trained // 50
        case _:
            return 8 * trained


def _weights(role: Role, size: ModelSize, way: Tuning, trained: int, width: int) -> int:
    """Bytes of the weights of one model."""
    if role.learns and not way.whole:
        # What begins as another stands on the frozen weights of that one.
        return 4 * trained + (0 if role.begins_as else way.frozen(size, width))
    if role.learns:
        return 4 * size.parameters
    if role.begins_as:
        return 4 * size.parameters if way.whole else 0
    return width * size.parameters


def sizes_by_role(
    method: Method,
    policy: ModelSize,
    others: Mapping[RoleName, ModelSize],
    options: BaseModel | None = None,
) -> dict[Role, ModelSize]:
    """The models of a run: a role without a model of its own has the one that learns, as it is or as it was; one that
    a run can do without has none."""
    return {
        role: others.get(role.name, policy)
        for role in method.roles
        if role.takes_part(options) and (role.name in others or not role.optional)
    }


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
            rows=options.rows_at_work(batch_size),
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
