"""Well-known open models, by purpose: ``static/models/catalogue.json``, which says where its figures are from."""

from __future__ import annotations

from functools import cache
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from studio_core.base.settings import bundled_folder
from studio_core.models.hub import HUB_NAME
from studio_core.models.size import ModelSize

Purpose = Literal["chat", "reasoning", "code", "base", "tiny"]
PURPOSES: tuple[str, ...] = get_args(Purpose)


class OpenModel(BaseModel):
    # The default engine compiles {1,96} of a Unicode class to 17 MB of memory.
    model_config = ConfigDict(extra="forbid", frozen=True, regex_engine="python-re")

    name: str = Field(pattern=HUB_NAME.pattern)
    purposes: tuple[Purpose, ...] = Field(min_length=1)
    parameters: int = Field(gt=0)
    layers: int = Field(gt=0)
    hidden: int = Field(gt=0)
    intermediate: int = Field(gt=0)
    heads: int = Field(gt=0)
    key_value_heads: int = Field(gt=0)
    head_dim: int = Field(gt=0)
    vocab: int = Field(gt=0)
    tied: bool
    context: int = Field(gt=0)
    """Tokens that its positions reach."""
    licence: str = Field(min_length=1)
    gated: bool | None
    """Whether its terms are to be accepted on the Hub first; None where that has changed over time."""
    template: str
    """The family of its chat template; empty if it brings none."""
    own_code: bool
    """Whether its configuration names Python code of its own."""

    @property
    def size(self) -> ModelSize:
        return ModelSize(
            parameters=self.parameters,
            hidden=self.hidden,
            layers=self.layers,
            vocab=self.vocab,
            intermediate=self.intermediate,
            tied=self.tied,
            key_values=self.key_value_heads * self.head_dim,
            heads=self.heads,
        )

    @property
    def counted(self) -> int:
        """Parameters by the shape of a Llama: embeddings, attention with shared heads, a gated feed-forward."""
        attention = 2 * self.hidden * self.head_dim * (self.heads + self.key_value_heads)
        layer = attention + 3 * self.hidden * self.intermediate
        return self.layers * layer + self.vocab * self.hidden * (1 if self.tied else 2)


class _Catalogue(BaseModel):
    model_config = ConfigDict(extra="forbid")

    about: str
    models: tuple[OpenModel, ...]


@cache
def catalogue() -> tuple[OpenModel, ...]:
    """All of them, the smallest first."""
    document = (bundled_folder() / "models" / "catalogue.json").read_text(encoding="utf-8")
    return _Catalogue.model_validate_json(document).models


def for_purpose(purpose: str = "") -> list[OpenModel]:
    """Those for one purpose; all if it is empty."""
    return [model for model in catalogue() if not purpose or purpose in model.purposes]
