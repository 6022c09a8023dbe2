"""The numbers of a model that estimates need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ModelSize:
    """Widths and counts, as a model's configuration names them."""

    parameters: int
    hidden: int
    layers: int
    vocab: int
    intermediate: int
    tied: bool
    key_values: int = 0
    """Width of the keys of a layer, and of its values, where heads of attention share them; 0: as wide as the model."""
    heads: int = 0
    """Of attention; 0: not known."""

    @classmethod
    def of(cls, parameters: int, details: dict[str, Any]) -> ModelSize:
        """From a model's row; sizes that its configuration did not name are guessed from its parameters."""
        # A guess for models of a common form: parameters are some 12 times layers times the width
        # squared, and width grows with the root of them; 300 stands for 25 layers.
        hidden = int(details.get("hidden") or max(64, round((parameters / 300) ** 0.5)))
        layers = int(details.get("layers") or max(1, round(parameters / (12 * hidden * hidden))))
        return cls(
            parameters=parameters,
            hidden=hidden,
            layers=layers,
            # What Llama 2 and its kin have; only reached when a configuration is silent.
            vocab=int(details.get("vocab") or 32_000),
            # Four times the width, as in the first transformers.
            intermediate=int(details.get("intermediate") or 4 * hidden),
            tied=bool(details.get("tied")),
            key_values=int(details.get("key_values") or 0),
            heads=int(details.get("heads") or 0),
        )

    @property
    def linear_inputs(self) -> int:
        """Inputs of all linear layers, as if all were as wide as the model: four of attention, three feed-forward."""
        return self.layers * (6 * self.hidden + self.intermediate)

    @property
    def linear_outputs(self) -> int:
        """Likewise their outputs."""
        return self.layers * (5 * self.hidden + 2 * self.intermediate)

    @property
    def multiplied(self) -> int:
        """Parameters that each token is multiplied with: all but an embedding that is only looked up."""
        return self.parameters - (0 if self.tied else self.vocab * self.hidden)

    @property
    def embeddings(self) -> int:
        """Parameters of the embedding and, where it is a matrix of its own, of the output."""
        # Guessed sizes may not add up to more than is there.
        return min(self.vocab * self.hidden * (1 if self.tied else 2), self.parameters)
