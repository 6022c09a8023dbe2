"""Set aside the pairs whose answers are too surprising for a reference model."""

from __future__ import annotations

from pydantic import model_validator

from studio_core.base.errors import BadInput
from studio_core.curation.base import Operation, OperationOptions
from studio_core.data.shapes import Shape
from studio_core.options import option


class PerplexityOptions(OperationOptions):
    model: str = option("", choices_of="models", advanced=False)
    keep: float = option(0.95, at_least=0.01, at_most=1.0, advanced=False)
    threshold: float = option(0.0, at_least=0.0, at_most=1000.0, advanced=False)
    max_length: int = option(2048, at_least=8, at_most=131_072, unit="tokens")
    batch_size: int = option(8, at_least=1, at_most=256)

    @model_validator(mode="after")
    def _a_model_is_named(self) -> PerplexityOptions:
        if not self.model:
            raise BadInput("generation.no_model")
        return self


PERPLEXITY = Operation(
    name="perplexity",
    Options=PerplexityOptions,
    shapes=(Shape.PREFERENCE,),
    needs_model=lambda options: True,
    models=("model",),
    area="generation",
)
