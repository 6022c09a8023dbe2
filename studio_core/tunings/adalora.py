"""AdaLoRA (Zhang et al. 2023, arXiv:2303.10512): LoRA whose rank goes where it is worth most.

A layer computes ``W x + alpha / start * P diag(e) Q x``. All layers begin with the rank ``adalora_start``; between the
first tenth and the last third of the steps those triplets (a column of P, a number of e, a row of Q) go without which
the loss would change least, until ``adalora_rank`` are left on average.
"""

from __future__ import annotations

from pydantic import model_validator

from studio_core.base.errors import BadInput
from studio_core.models.size import ModelSize
from studio_core.options import option
from studio_core.tunings.base import Case, Tuning, TuningOptions


class AdaloraOptions(TuningOptions):
    adalora_rank: int = option(8, at_least=1, at_most=256, advanced=False)
    # Half as many again as are to be left, as in the paper.
    adalora_start: int = option(12, at_least=1, at_most=512)
    adalora_alpha: int = option(32, at_least=1, at_most=1024)

    @model_validator(mode="after")
    def _begins_above_its_end(self) -> AdaloraOptions:
        if self.adalora_start < self.adalora_rank:
            raise BadInput("tunings.adalora_grows", start=self.adalora_start, rank=self.adalora_rank)
        return self


def trained(size: ModelSize, options: AdaloraOptions) -> int:
    """Of the beginning, when most memory is needed."""
    return options.adalora_start * (size.linear_inputs + size.linear_outputs + 7 * size.layers)


def against(case: Case) -> list[BadInput]:
    found = []
    # What is worth most is told from gradients, of which shards hold a part each.
    if case.gpus > 1 and case.parallel != "ddp":
        found.append(BadInput("tunings.needs_ddp", what="adalora", parallel=case.parallel))
    # Its reference would be a second adapter on the same base, which PEFT does not allow.
    if case.adapter == "ADALORA" and case.compares:
        found.append(BadInput("tunings.adalora_compared", model=case.model))
    return found


ADALORA = Tuning(
    name="adalora",
    # Ranks are moved after each of an optimiser's steps, by the gradients of that step.
    suits=lambda method: method.moved_by_optimizer,
    Options=AdaloraOptions,
    whole=False,
    family="low_rank",
    trained=trained,
    frozen=lambda size, width: width * size.parameters,
    against=against,
    adapter="ADALORA",
    # e begins as zeros, and what was learnt by ranks that go is lost: it needs larger steps than LoRA.
    rate=2.0,
    instead="lora",
)
