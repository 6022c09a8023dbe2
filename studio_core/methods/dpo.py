"""Direct preference optimisation: the model learns to prefer one answer of a pair over the other."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import model_validator

from studio_core.base.errors import BadInput
from studio_core.data.shapes import Shape
from studio_core.methods.base import Chart, Method
from studio_core.methods.common import DEMO_SIZE, TrainingOptions
from studio_core.methods.pairs import starting_values
from studio_core.methods.roles import Role
from studio_core.options import option
from studio_core.tunings.base import Tuning

Loss = Literal[
    "sigmoid", "sigmoid_norm", "ipo", "hinge", "robust", "apo_zero", "apo_down", "exo_pair", "nca_pair",
    "bco_pair", "sppo_hard", "aot", "discopop", "aot_unpaired",
]  # fmt: skip
LOSSES: tuple[str, ...] = (*get_args(Loss), "sft")
"""What a run may learn from; the last is a term beside the others, not a preference."""

# An f-divergence leaves a term in each reward that depends on the prompt only. It cancels where the loss sees no more
# than the difference of a pair's rewards (Wang et al. 2023, arXiv:2309.16240).
OF_DIFFERENCES = {"sigmoid", "sigmoid_norm", "ipo", "hinge", "robust", "exo_pair", "discopop", "sft"}
# Those that sort the rows of a batch mix pairs up, and the SFT term is one number for the batch: no weight of a pair
# can be put on either.
WITHOUT_WEIGHTING = {"aot", "aot_unpaired", "sft"}


class DPOOptions(TrainingOptions):
    # The paper's own value: how dear it is to leave the reference. 0.01 hardly holds the model, 1 hardly lets it move.
    beta: float = option(0.1, at_least=0.001, at_most=10.0, advanced=False)
    loss: Loss = option("sigmoid", advanced=False)
    sft_weight: float = option(0.0, at_least=0.0, at_most=10.0, advanced=False)
    loss_weights: str = option("")
    # Below one half: at one half a pair says nothing.
    label_smoothing: float = option(0.0, at_least=0.0, at_most=0.49)
    # How much counts of the longer answer what it has beyond the shorter's length: 1 is plain DPO, 0 nothing of it.
    ld_alpha: float = option(1.0, at_least=0.0, at_most=1.0)
    use_weighting: bool = option(False)
    divergence: Literal["reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"] = option(
        "reverse_kl"
    )
    # Halfway between forward (0) and reverse KL (1).
    divergence_alpha: float = option(0.5, at_least=0.0, at_most=1.0)
    precompute_reference: bool = option(False)
    sync_steps: int = option(0, at_least=0, at_most=1_000_000, unit="steps")
    # The paper's own (Gorbatovski et al. 2024, arXiv:2404.09656).
    sync_mix: float = option(0.6, at_least=0.01, at_most=1.0)

    @property
    def terms(self) -> dict[str, float]:
        """The losses that are added up, and the weight of each: those named by ``loss_weights`` as they are there,
        else 1 for ``loss`` and ``sft_weight`` for the term ``sft``."""
        named = weights_of(self.loss_weights)
        terms = {self.loss: 1.0, **named, "sft": named.get("sft", self.sft_weight)}
        return {name: weight for name, weight in terms.items() if weight}

    @model_validator(mode="after")
    def _terms_fit(self) -> DPOOptions:
        terms = self.terms
        if not terms:
            raise BadInput("methods.dpo.no_loss", value=self.loss_weights)
        if "exo_pair" in terms and self.label_smoothing == 0.0:
            raise BadInput("methods.dpo.needs_smoothing", loss="exo_pair")
        unfit = sorted(terms.keys() - OF_DIFFERENCES)
        if self.divergence != "reverse_kl" and unfit:
            known = ", ".join(sorted(OF_DIFFERENCES))
            raise BadInput(
                "methods.dpo.no_divergence", divergence=self.divergence, loss=unfit[0], known=known
            )
        unfit = sorted(terms.keys() & WITHOUT_WEIGHTING)
        if self.use_weighting and unfit:
            raise BadInput("methods.dpo.no_weighting", loss=unfit[0])
        if self.sync_steps and self.precompute_reference:
            raise BadInput("methods.dpo.sync_precomputed", steps=self.sync_steps)
        return self


def weights_of(written: str) -> dict[str, float]:
    """``sigmoid=0.8, bco_pair=0.2, sft=1`` as weights by loss; raises ``BadInput`` that quotes the part at fault."""
    weights: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in written.split(","))):
        name, _, value = (side.strip() for side in part.partition("="))
        if name not in LOSSES:
            raise BadInput("methods.dpo.unknown_loss", loss=name[:40], known=", ".join(LOSSES))
        try:
            weight = float(value)
        except ValueError:
            weight = -1.0
        # 100 times the other terms is those left out.
        if name in weights or not 0.0 <= weight <= 100.0:
            raise BadInput("methods.dpo.bad_weight", part=part[:40])
        weights[name] = weight
    return weights


def check(options: DPOOptions, tuning: Tuning) -> None:
    """Under an adapter the reference is the frozen base, which all that learns stands on: it cannot follow."""
    if options.sync_steps and not tuning.whole:
        raise BadInput("methods.dpo.sync_adapter", tuning=tuning.name, steps=options.sync_steps)


def presets(preset: str, tuning: Tuning, parameters: int) -> dict[str, Any]:
    """Starting values. Those for the demo models were measured; the others are what is usual.

    The SFT term keeps a new word from being reached only by pushing the old one down: with the
    plain loss a small model can end up preferring neither answer but a third one.
    """
    # A tenth of SFT's and less, as in the paper (1e-6 for its models of a few billion).
    full = 5e-6 if parameters < 300e6 else 1e-6 if parameters < 2e9 else 5e-7
    adapter = 2e-5 if parameters < 2e9 else 5e-6
    values = starting_values(preset, tuning, parameters, full=full, adapter=adapter)
    if parameters < DEMO_SIZE:
        values["sft_weight"] = 1.0
    return values


DPO = Method(
    name="dpo",
    shapes=(Shape.PREFERENCE,),
    Options=DPOOptions,
    presets=presets,
    charts=(
        Chart("loss", ("loss", "eval_loss")),
        Chart("margins", ("rewards/margins", "rewards/chosen", "rewards/rejected")),
        Chart("preference_accuracy", ("rewards/accuracies", "eval_rewards/accuracies")),
        Chart("logps", ("logps/chosen", "logps/rejected")),
        Chart("token_accuracy", ("mean_token_accuracy",)),
        Chart("learning_rate", ("learning_rate",)),
        Chart("grad_norm", ("grad_norm",)),
        Chart("speed", ("tokens_per_second",)),
        Chart("entropy", ("entropy",)),
    ),
    headline=("loss", "mean_token_accuracy", "rewards/accuracies", "rewards/margins", "tokens_per_second"),
    roles=(
        Role("policy", learns=True, sequences=2),
        Role("reference", sequences=2, passes=1, begins_as="policy"),
    ),
    check=check,
)
